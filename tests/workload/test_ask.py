"""What one query came to, as the scorer sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

from punie.trace.workload.ask import Asker, Reply
from punie.trace.workload.scoring.scoring import ToolCall

Answerer = Callable[[list[ModelMessage], AgentInfo], ModelResponse]


def _ask(
    agent: Agent[None, str], model: FunctionModel, *, stream: bool = False, timeout_s: float = 20
) -> Reply:
    return asyncio.run(Asker(agent, model, stream, timeout_s, clock=lambda: 42).ask("Where?"))


def _agent(tool: Callable[..., object]) -> Agent[None, str]:
    return Agent(tools=[tool], defer_model_check=True, retries=0)


def look(place: str) -> str:
    """Look there."""
    return f"nothing in {place}"


def _calls_then_answers(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    if len(messages) == 1:
        return ModelResponse([ToolCallPart("look", {"place": "here"}, "c1")], finish_reason="tool_call")
    return ModelResponse([TextPart("Nothing.")], finish_reason="stop")


def test_calls_results_and_finish_reasons_are_kept_in_order() -> None:
    reply = _ask(_agent(look), FunctionModel(_calls_then_answers))
    assert (reply.error, reply.answered_ns, reply.answer.text) == (None, 42, "Nothing.")
    assert reply.answer.tool_calls == (ToolCall("look", '{"place": "here"}', "nothing in here"),)
    assert reply.answer.finish_reasons == ("tool_call", "stop")


def test_a_streamed_answer_is_the_same() -> None:
    async def stream(
        messages: list[ModelMessage], _: AgentInfo
    ) -> AsyncIterator[str | dict[int, DeltaToolCall]]:
        if len(messages) == 1:
            yield {0: DeltaToolCall(name="look", json_args='{"place": "here"}', tool_call_id="c1")}
        else:
            yield "Noth"
            yield "ing."

    reply = _ask(_agent(look), FunctionModel(stream_function=stream), stream=True)
    assert reply.answer.text == "Nothing."
    assert reply.answer.tool_calls == (ToolCall("look", '{"place": "here"}', "nothing in here"),)


def test_a_tool_that_raises_fails_the_query_and_not_the_run() -> None:
    def look(place: str) -> str:
        """Look there."""
        raise ZeroDivisionError(place)

    reply = _ask(_agent(look), FunctionModel(_calls_then_answers))
    assert reply.error == "ZeroDivisionError: here"
    assert reply.answer.text is None
    assert reply.answer.tool_calls == (ToolCall("look", '{"place": "here"}', None),)


def test_a_query_that_takes_too_long_is_ended() -> None:
    async def forever(_: list[ModelMessage], __: AgentInfo) -> ModelResponse:
        await asyncio.Event().wait()
        raise AssertionError("never")

    reply = _ask(_agent(look), FunctionModel(forever), timeout_s=0.05)
    assert reply.error == "TimeoutError: no answer within 0.05 s"


def test_being_cancelled_is_no_failed_query() -> None:
    async def cancelled() -> None:
        async def forever(_: list[ModelMessage], __: AgentInfo) -> ModelResponse:
            await asyncio.Event().wait()
            raise AssertionError("never")

        asker = Asker(_agent(look), FunctionModel(forever), False, 20, clock=lambda: 0)
        task = asyncio.create_task(asker.ask("Where?"))
        await asyncio.sleep(0.05)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
