"""What to put where: settings as `config.toml`, and as lines for one's own agent and server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from punie.trace.analysis.experiment.arms import Arm
from punie.trace.analysis.experiment.configuration import Configuration, configuration_text, difference
from punie.trace.report.document import Note


def settings_notes(baseline: Arm, arm: Arm) -> Iterator[Note]:
    """What differs, for punie-trace, and for programs that don't know it."""
    configuration = difference(baseline, arm)
    lines = [line for line in configuration_text(configuration).splitlines() if line]
    if lines:
        yield Note("config.toml, for --config of run, serve and improve:", tuple(lines))
    own = tuple(own_lines(configuration))
    if own:
        yield Note("for your own server and agent:", own)


def own_lines(configuration: Configuration) -> Iterator[str]:
    """A line for each setting, in the words of mlx_lm.server and of PydanticAI."""
    for table, name, value in configuration.values():
        yield from _line(table, name, value)


def _line(table: str, name: str, value: Any) -> Iterator[str]:  # noqa: ANN401 # of the field's type
    match table, name:
        case "server", "prompt_cache":
            off = value == "off"
            yield f"mlx_lm.server: {'--prompt-cache-size 0' if off else 'leave --prompt-cache-size away'}"
        case "server", "model" | "adapter" | "draft" | "prefill_step_size":
            flag = {"adapter": "adapter-path", "draft": "draft-model"}.get(name, name.replace("_", "-"))
            yield f"mlx_lm.server: --{flag} {value}" if value is not None else f"mlx_lm.server: no --{flag}"
        case "request", "num_draft_tokens":
            yield f"mlx_lm.server: --num-draft-tokens {value}"
        case "request", "template_args":
            yield f'model_settings: extra_body={{"chat_template_kwargs": {dict(value)!r}}}'
        case "request", _:
            yield f"model_settings: {name}={value!r}"
        case "agent", "instruction":
            yield f"Agent(instructions=[…, {value!r}])"
        case "agent", "tool_result_characters":
            yield f"tools: return at most {value} characters (cut the end, and say so)"
        case "agent", "stream":
            yield "agent.run without an event stream" if not value else "agent.run with an event stream"
        case _:
            yield f"{table}.{name} = {value!r}"
