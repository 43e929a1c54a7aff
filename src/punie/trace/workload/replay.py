"""Tools that don't run: each call gets what the same call returned when it was recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_ai.capabilities import AbstractCapability

from punie.trace import semconv
from punie.trace.errors import InputError, WorkloadError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_ai import RunContext
    from pydantic_ai.capabilities.abstract import ValidatedToolArgs, WrapToolExecuteHandler
    from pydantic_ai.messages import ToolCallPart
    from pydantic_ai.tools import ToolDefinition

    from punie.trace.model import Span

Recording = Mapping[tuple[str, str], str]
"""What a tool returned, by its name and its arguments as JSON with sorted keys."""


def recording_of(spans: Iterable[Span], source: str) -> Recording:
    """The tools' calls in `spans`; of the same call twice the first. Raises InputError where there is none."""
    answers: dict[tuple[str, str], str] = {}
    for span in spans:
        attributes = span.attributes
        arguments, result = (
            semconv.text(attributes, key) for key in (semconv.TOOL_ARGUMENTS, semconv.TOOL_RESULT)
        )
        name = semconv.text(attributes, semconv.TOOL_NAME)
        if name and arguments is not None and result is not None:
            answers.setdefault((name, _key(arguments)), result)
    if not answers:
        raise InputError(
            f"{source}: holds no tool's call with its result",
            remedy="Give a run folder of this agent: `punie-trace run` keeps what tools returned.",
        )
    return answers


@dataclass
class ReplayTools(AbstractCapability[Any]):
    """Answers every tool's call from a recording; a call that isn't in it ends the query with an error."""

    recording: Recording

    async def wrap_tool_execute(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: ValidatedToolArgs,
        handler: WrapToolExecuteHandler,
    ) -> Any:  # noqa: ANN401 # a tool may return anything
        """The recorded result, in place of the tool."""
        key = (call.tool_name, _key(call.args_as_json_str()))
        if key not in self.recording:
            raise WorkloadError(
                f"{call.tool_name}: this call is not in the recording, so the tool's answer is not known"
            )
        return self.recording[key]


def _key(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except ValueError:
        return arguments
