"""What the messages of an agent's run say: the answer, and the tool calls with what they returned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from punie.trace.workload.scoring.answer import AgentAnswer, ToolCall

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pydantic_ai.messages import ModelMessage


def read_answer(
    messages: Sequence[ModelMessage], output: str | None, output_tools: Collection[str] = ()
) -> AgentAnswer:
    """The scorer's view of a run. A call of one of `output_tools` is how structured output is given, and no tool."""
    from pydantic_ai.messages import ModelResponse, RetryPromptPart, ToolCallPart, ToolReturnPart

    from punie.trace.telemetry.agent.finish import finish_reason

    calls: dict[str, ToolCallPart] = {}
    results: dict[str, str] = {}
    finish_reasons: list[str] = []
    for message in messages:
        if isinstance(message, ModelResponse) and (reason := finish_reason(message)):
            finish_reasons.append(reason)
        for part in message.parts:
            if isinstance(part, ToolCallPart) and part.tool_name not in output_tools:
                calls[part.tool_call_id] = part
            elif isinstance(part, ToolReturnPart):
                results[part.tool_call_id] = part.model_response_str()
            elif isinstance(part, RetryPromptPart):
                results[part.tool_call_id] = f"error: {part.model_response()}"
    tool_calls = tuple(
        ToolCall(call.tool_name, _as_json(call.args), results.get(call_id)) for call_id, call in calls.items()
    )
    return AgentAnswer(output, tool_calls, tuple(finish_reasons))


def _as_json(arguments: str | dict[str, Any] | None) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments or {})
