"""One query through one agent: what it answered, which tools it called, what went wrong."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from punie.trace.workload.scoring.scoring import Answer, ToolCall

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Sequence

    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelMessage
    from pydantic_ai.models import Model


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one query. `answered_ns` is the instant at which the answer (or the error) was there."""

    answer: Answer
    answered_ns: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Asker:
    """An agent, the model that answers and the way to ask: everything that stays the same over a run."""

    agent: Agent[Any, Any]
    model: Model
    stream: bool
    timeout_s: float
    clock: Callable[[], int]

    async def ask(self, text: str) -> Reply:
        """Ask `text`. A failure is a reply with `error` set: failed queries are shown, not raised."""
        from pydantic_ai import capture_run_messages

        with capture_run_messages() as messages:
            output, error = await self._run(text)
            answered_ns = self.clock()
        return Reply(read_answer(messages, output), answered_ns, error)

    async def _run(self, text: str) -> tuple[str | None, str | None]:
        handler = _drain if self.stream else None
        try:
            async with asyncio.timeout(self.timeout_s):
                result = await self.agent.run(text, model=self.model, event_stream_handler=handler)
        except TimeoutError:
            return None, f"TimeoutError: no answer within {self.timeout_s:g} s"
        except Exception as error:  # noqa: BLE001 # an agent and its tools may raise anything; it is shown, not averaged
            return None, f"{type(error).__name__}: {error}"
        return str(result.output), None


async def _drain(_context: object, events: AsyncIterable[object]) -> None:
    """Having a handler is what makes the agent stream; the events themselves go to the spans."""
    async for _ in events:
        pass


def read_answer(messages: Sequence[ModelMessage], output: str | None) -> Answer:
    """The scorer's view of a run: the final text, the tool calls with what they returned, the finish reasons."""
    from pydantic_ai.messages import ModelResponse, RetryPromptPart, ToolCallPart, ToolReturnPart

    calls: dict[str, ToolCallPart] = {}
    results: dict[str, str] = {}
    finish_reasons: list[str] = []
    for message in messages:
        if isinstance(message, ModelResponse) and message.finish_reason:
            finish_reasons.append(message.finish_reason)
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                calls[part.tool_call_id] = part
            elif isinstance(part, ToolReturnPart):
                results[part.tool_call_id] = part.model_response_str()
            elif isinstance(part, RetryPromptPart):
                results[part.tool_call_id] = f"error: {part.model_response()}"
    tool_calls = tuple(
        ToolCall(
            name=call.tool_name,
            arguments_json=_as_json(call.args),
            result=results.get(call_id),
        )
        for call_id, call in calls.items()
    )
    return Answer(text=output, tool_calls=tool_calls, finish_reasons=tuple(finish_reasons))


def _as_json(arguments: str | dict[str, Any] | None) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments or {})
