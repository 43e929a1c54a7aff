"""What one query came to, as the scorer sees it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

from punie.trace.telemetry.agent.cut_streams import CUT_STREAMS
from punie.trace.usecases.interruption import run_without_waiting_for_others
from punie.trace.workload.agent_runner import AgentRunner, Reply
from punie.trace.workload.guard import PARALLEL_TOOLS
from punie.trace.workload.scoring.answer import ToolCall
from punie.trace.workload.subject import Subject
from punie.trace.workload.threads import query_has_ended

Answerer = Callable[[list[ModelMessage], AgentInfo], ModelResponse]


def _ask(
    agent: Agent[None, str], model: FunctionModel, *, stream: bool = False, timeout_s: float = 20
) -> Reply:
    return asyncio.run(
        AgentRunner(Subject(agent), model, stream, timeout_s, clock=lambda: 42).answer("Where?")
    )


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

        runner = AgentRunner(Subject(_agent(look)), FunctionModel(forever), False, 20, clock=lambda: 0)
        task = asyncio.create_task(runner.answer("Where?"))
        await asyncio.sleep(0.05)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())


class OwnStop(BaseException):
    """What a library may raise to end a program."""


def _raiser(error: BaseException) -> tuple[Callable[[str], str], Callable[[str], object]]:
    def look(place: str) -> str:
        """Look there."""
        raise error

    async def look_later(place: str) -> str:
        """Look there."""
        await asyncio.sleep(0)
        raise error

    look_later.__name__ = "look"
    return look, look_later


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt("tool"), "KeyboardInterrupt: tool"),
        (OwnStop("enough"), "OwnStop: enough"),
        (TimeoutError("database did not answer"), "TimeoutError: database did not answer"),
        (TimeoutError(), "TimeoutError: in the tool look"),
        (asyncio.CancelledError("inner"), "CancelledError: inner"),
        (ExceptionGroup("two", [KeyError("a"), ValueError("b")]), "KeyError: 'a'; ValueError: b"),
        (
            ExceptionGroup("x", [ValueError(str(n)) for n in range(5)]),
            "ValueError: 0; ValueError: 1; ValueError: 2 (and 2 more)",
        ),
    ],
)
@pytest.mark.parametrize("kind", [0, 1], ids=["thread", "coroutine"])
def test_whatever_a_tool_raises_fails_its_query_with_its_own_message(
    error: BaseException, message: str, kind: int
) -> None:
    reply = _ask(_agent(_raiser(error)[kind]), FunctionModel(_calls_then_answers))
    assert reply.error == message
    assert not reply.abandoned


def test_a_tool_that_never_returns_is_named_and_keeps_neither_the_query_nor_the_process() -> None:
    release = threading.Event()

    def look(place: str) -> str:
        """Look there."""
        release.wait(60)
        return place

    reply = _ask(_agent(look), FunctionModel(_calls_then_answers), timeout_s=1.5)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "tool: look"]
    assert thread.daemon
    assert (
        reply.error == "TimeoutError: no answer within 1.5 s; look runs on in a thread that can't be stopped"
    )
    assert reply.threads.running == ("look",)
    release.set()


def test_a_coroutine_that_blocks_the_event_loop_is_interrupted() -> None:
    async def look(place: str) -> str:
        """Look there."""
        time.sleep(60)  # noqa: ASYNC251 # what must not be done
        return place

    began = time.monotonic()
    reply = _ask(_agent(look), FunctionModel(_calls_then_answers), timeout_s=0.1)
    assert time.monotonic() - began < 20
    assert reply.error in (
        "BlockedLoopError: blocked the event loop for 2.1 s",
        "TimeoutError: no answer within 0.1 s",
    )
    assert signal.getsignal(signal.SIGALRM) is not signal.SIG_IGN


@pytest.mark.parametrize(
    ("error", "status"), [(SystemExit(5), 5), (SystemExit("no"), 1), (ValueError("no"), 1), (None, 0)]
)
def test_the_copy_that_a_tool_forks_ends_with_the_tool(error: BaseException | None, status: int) -> None:
    ended: list[int] = []

    async def look(place: str) -> str:
        """Look there."""
        pid = os.fork()
        if pid:
            ended.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))  # noqa: ASYNC222 # the child is brief
        elif error is not None:
            raise error
        return place

    reply = _ask(_agent(look), FunctionModel(_calls_then_answers))
    assert (reply.error, ended) == (None, [status])


@pytest.mark.parametrize("times", [2, 1_000_000])
def test_a_tool_that_takes_no_cancelling_for_an_end_is_left_behind(times: int) -> None:
    ends = asyncio.Event()

    async def look(place: str) -> str:
        """Look there."""
        for _ in range(times):
            with suppress(asyncio.CancelledError):
                await ends.wait()
                break
        return place

    async def ask() -> Reply:
        runner = AgentRunner(
            Subject(_agent(look)), FunctionModel(_calls_then_answers), False, 0.1, clock=lambda: 42
        )
        return await runner.answer("Where?")

    began = time.monotonic()
    reply = run_without_waiting_for_others(ask())
    assert time.monotonic() - began < 20
    error = "TimeoutError: no answer within 0.1 s"
    assert reply.error == (
        error if times == 2 else f"{error}; what it waits for can't be cancelled and runs on"
    )
    assert reply.abandoned


def test_a_query_ends_in_the_folder_in_which_it_began(tmp_path: Path) -> None:
    def look(place: str) -> str:
        """Look there."""
        os.chdir(tmp_path)
        return place

    began = Path.cwd()
    assert _ask(_agent(look), FunctionModel(_calls_then_answers)).error is None
    assert Path.cwd() == began


@pytest.mark.parametrize("where", ["instructions", "output"])
def test_what_is_no_tool_may_raise_as_well(where: str) -> None:
    agent = _agent(look)

    def leave() -> str:
        raise SystemExit("no license")

    if where == "instructions":
        agent.instructions(leave)
    else:
        agent.output_validator(lambda _: leave())
    reply = _ask(agent, FunctionModel(_calls_then_answers))
    assert reply.error == "SystemExit: no license"


def test_a_tool_that_asks_whether_its_query_has_ended_can_stop() -> None:
    def look(place: str) -> str:
        """Look there."""
        while not query_has_ended():
            time.sleep(0.01)
        return place

    reply = _ask(_agent(look), FunctionModel(_calls_then_answers), timeout_s=0.05)
    assert (reply.error, reply.threads.running) == ("TimeoutError: no answer within 0.05 s", ())
    assert reply.abandoned


def test_a_turn_runs_a_bounded_number_of_tools_at_a_time() -> None:
    running: list[int] = []
    most = 0

    def look(place: str) -> str:
        """Look there."""
        nonlocal most
        running.append(1)
        most = max(most, len(running))
        time.sleep(0.01)
        running.pop()
        return place

    def many(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        if len(messages) == 1:
            return ModelResponse([ToolCallPart("look", {"place": str(n)}, f"c{n}") for n in range(40)])
        return ModelResponse([TextPart("Nothing.")], finish_reason="stop")

    reply = _ask(_agent(look), FunctionModel(many))
    assert [call.result for call in reply.answer.tool_calls] == [str(n) for n in range(40)]
    assert 1 < most <= PARALLEL_TOOLS


def test_an_answer_whose_stream_was_cut_is_none() -> None:
    async def stream(_: list[ModelMessage], __: AgentInfo) -> AsyncIterator[str]:
        yield "Half an"
        CUT_STREAMS.note("stub")

    reply = _ask(_agent(look), FunctionModel(stream_function=stream), stream=True)
    assert (reply.error, reply.answer.text) == (
        "IncompleteStream: stub ended in the middle of its answer",
        None,
    )


class City(BaseModel):
    """What an agent may answer with."""

    name: str


def test_the_call_of_an_output_tool_is_the_answer_and_no_tool_call() -> None:
    def structured(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        (output,) = info.output_tools
        return ModelResponse([ToolCallPart(output.name, {"name": "Ulm"}, "c1")], finish_reason="tool_call")

    agent = Agent(output_type=City, tools=[look], defer_model_check=True)
    reply = asyncio.run(
        AgentRunner(Subject(agent), FunctionModel(structured), False, 20, clock=lambda: 0).answer("Which?")
    )
    assert (reply.answer.text, reply.answer.tool_calls) == ("name='Ulm'", ())


def test_a_model_sees_so_much_of_a_tool_result_and_the_instruction_that_was_added() -> None:
    seen: list[list[ModelMessage]] = []

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.append(list(messages))
        return _calls_then_answers(messages, info)

    runner = AgentRunner(
        Subject(_agent(look)),
        FunctionModel(answer),
        stream=False,
        timeout_s=20,
        clock=lambda: 42,
        instruction="Be brief.",
        tool_result_characters=7,
    )
    assert asyncio.run(runner.answer("Where?")).error is None
    first, last = seen[0][0], seen[-1][-1]
    assert isinstance(first, ModelRequest)
    assert "Be brief." in (first.instructions or "")
    (result,) = last.parts
    assert isinstance(result, ToolReturnPart)
    assert result.content == "nothing\n[cut: 8 more characters]"
