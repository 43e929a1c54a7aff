"""In a process of its own: rows of training data as the model's tokenizer renders them.

    python -m punie.trace.tuning.render_process JOB RESULT

Loading a tokenizer imports mlx_lm and transformers; our own process stays without them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from punie.trace.analysis.tuning.linting import ArgumentsForm, PromptMatch, RowFacts
from punie.trace.bench.child import serve_job, show_step
from punie.trace.tuning.examples import TrainingRow


@dataclass(frozen=True, slots=True)
class RenderJob:
    """The rows, and whose tokenizer renders them."""

    model: str
    rows: tuple[TrainingRow, ...]


@dataclass(frozen=True, slots=True)
class RenderedRow:
    """A row's facts, and its line in the form that fits the server's tokens."""

    facts: RowFacts
    line: str


def render(job: RenderJob) -> list[RenderedRow]:
    """Each of the job's rows, with its line in the form that fits the server best."""
    from mlx_lm.utils import load_tokenizer

    show_step("loading the tokenizer")
    tokenizer = load_tokenizer(job.model)  # type: ignore[no-untyped-call]
    show_step("rendering the rows")
    return [_rendered(tokenizer, row) for row in job.rows]


def _rendered(tokenizer: Any, row: TrainingRow) -> RenderedRow:  # noqa: ANN401 - mlx_lm is untyped
    """Arguments of earlier tool calls as an object, as text where only that gives the server's tokens."""
    forms = {ArgumentsForm.OBJECT: list(row.messages), ArgumentsForm.TEXT: _with_text_arguments(row.messages)}
    prompts = {form: _tokens(tokenizer, messages[:-1], row, prompt=True) for form, messages in forms.items()}
    served = {form: _served(prompt, row) for form, prompt in prompts.items()}
    form = ArgumentsForm.OBJECT
    if (
        served[form] in (PromptMatch.OTHER_TOKENS, PromptMatch.OTHER_COUNT)
        and served[ArgumentsForm.TEXT] is PromptMatch.SAME_TOKENS
    ):
        form = ArgumentsForm.TEXT
    whole, prompt = _tokens(tokenizer, forms[form], row, prompt=False), prompts[form]
    alike = prompts[ArgumentsForm.OBJECT] == prompts[ArgumentsForm.TEXT]
    facts = RowFacts(
        row.name,
        tokens=len(whole),
        prompt_tokens=len(prompt),
        prompt_is_prefix=whole[: len(prompt)] == prompt,
        served=served[form],
        arguments=ArgumentsForm.ALIKE if alike else form,
    )
    tools = {"tools": row.tools} if row.tools else {}
    return RenderedRow(facts, json.dumps({**tools, "messages": forms[form]}, ensure_ascii=False))


def _tokens(
    tokenizer: Any,  # noqa: ANN401 - as above
    messages: Sequence[Mapping[str, Any]],
    row: TrainingRow,
    *,
    prompt: bool,
) -> list[int]:
    """As mlx_lm's ChatDataset renders them."""
    return list(
        tokenizer.apply_chat_template(
            deepcopy(list(messages)),
            tools=list(row.tools) or None,
            add_generation_prompt=prompt,
            return_dict=False,
        )
    )


def _with_text_arguments(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    changed = [dict(message) for message in deepcopy(list(messages))]
    for call in (call for message in changed for call in message.get("tool_calls", ())):
        function = call["function"]
        if not isinstance(function["arguments"], str):
            function["arguments"] = json.dumps(function["arguments"], ensure_ascii=False)
    return changed


def _served(prompt: Sequence[int], row: TrainingRow) -> PromptMatch:
    if row.served_ids is not None:
        return PromptMatch.SAME_TOKENS if tuple(prompt) == row.served_ids else PromptMatch.OTHER_TOKENS
    if row.served_count is not None:
        return PromptMatch.SAME_COUNT if len(prompt) == row.served_count else PromptMatch.OTHER_COUNT
    return PromptMatch.NOT_KNOWN


if __name__ == "__main__":
    serve_job(render, RenderJob)
