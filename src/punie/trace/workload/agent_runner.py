"""One query through one agent: what it answered, which tools it called, what went wrong."""

from __future__ import annotations

import asyncio
from contextlib import chdir
from dataclasses import dataclass, field
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Final

from punie.trace.urls import without_passwords
from punie.trace.workload.alarm import alarm
from punie.trace.workload.threads import ForeignExitError, ToolThreads
from punie.trace.workload.transcript import read_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable

    from pydantic_ai.capabilities import AbstractCapability
    from pydantic_ai.models import Model

    from punie.trace.workload.guard import QueryGuard
    from punie.trace.workload.replay import Recording
    from punie.trace.workload.scoring.answer import AgentAnswer
    from punie.trace.workload.subject import Subject

_GRACE_S: Final = 2.0  # beyond the time limit, before code that blocks the event loop is interrupted
_CANCELS: Final = 3
_CANCEL_S: Final = 1.0
_SHOWN_ERRORS: Final = 3  # of a group; more would bury them
_LONGEST_ERROR: Final = 2000
_CONNECTION: Final = "Connection error."


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one query. `answered_ns` is the instant at which the answer (or the error) was there.

    `abandoned` is True if it was given up before the server had answered: the server may go on. In `threads` tools
    may go on that can't be stopped.
    """

    answer: AgentAnswer
    answered_ns: int
    error: str | None
    abandoned: bool = False
    threads: ToolThreads = field(default_factory=ToolThreads, compare=False)


@dataclass(frozen=True, slots=True)
class AgentRunner:
    """An agent, the model that answers and the way to ask: everything that stays the same over a run.

    `instruction` is added to the agent's own instructions. Of a tool's result longer than `tool_result_characters` the
    model sees so many characters. With a `recording` tools don't run: they answer from it.
    """

    subject: Subject
    model: Model
    stream: bool
    timeout_s: float
    clock: Callable[[], int]
    instruction: str = ""
    tool_result_characters: int | None = None
    recording: Recording | None = None

    async def answer(self, text: str) -> Reply:
        """Ask `text`. A failure is a reply with `error` set: failed queries are shown, not raised."""
        from pydantic_ai import Agent, capture_run_messages

        from punie.trace.telemetry.agent.cut_streams import CUT_STREAMS
        from punie.trace.telemetry.http.left_requests import LEFT_REQUESTS
        from punie.trace.workload.guard import QueryGuard

        guard, threads = QueryGuard(), ToolThreads()
        with (
            chdir(self.subject.folder),  # tools may go elsewhere; the next query begins where this one did
            capture_run_messages() as messages,
            CUT_STREAMS.inside() as cut,
            LEFT_REQUESTS.inside() as left,
            Agent.using_thread_executor(threads),
            threads.as_current(),
        ):
            ended = await self._run(text, guard)
            answered_ns = self.clock()
            stuck = await threads.end()
        error = ended.error or (
            f"IncompleteStream: {cut[0]} ended in the middle of its answer" if cut else None
        )
        answer = read_answer(messages, None if error else ended.output, guard.output_tools)
        if stuck:
            error = (
                f"{error or 'the query ended'}; {', '.join(stuck)} runs on in a thread that can't be stopped"
            )
        return Reply(answer, answered_ns, error, ended.abandoned or bool(left), threads)

    async def _run(self, text: str, guard: QueryGuard) -> _Ended:
        before = asyncio.all_tasks()
        task = asyncio.create_task(self._run_agent(text, guard))
        try:
            with alarm(self.timeout_s + _GRACE_S):
                await asyncio.wait({task}, timeout=self.timeout_s)
        finally:
            is_late = not task.done()
            await _cancel(task, before)
        if is_late:
            stuck = "" if task.done() else "; what it waits for can't be cancelled and runs on"
            return _Ended(None, f"TimeoutError: no answer within {self.timeout_s:g} s{stuck}", abandoned=True)
        output, error = task.result()
        if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
            raise error
        return _Ended(output, None if error is None else _sentence(error), abandoned=_gave_up(error))

    async def _run_agent(self, text: str, guard: QueryGuard) -> tuple[str | None, BaseException | None]:
        """The output, or the error: a task that raises `SystemExit` would end the event loop."""
        try:
            result = await self.subject.agent.run(
                text,
                model=self.model,
                deps=self.subject.deps,
                event_stream_handler=_drain if self.stream else None,
                instructions=self.instruction or None,
                capabilities=[guard, *self._budget(), *self._replay()],
            )
            return str(result.output), None
        except BaseException as error:  # noqa: BLE001 # whatever an agent and its tools raise is shown, not averaged
            return None, error

    def _budget(self) -> list[AbstractCapability[Any]]:
        if self.tool_result_characters is None:
            return []
        from punie.trace.workload.tool_budget import tool_result_budget

        return [tool_result_budget(self.tool_result_characters)]

    def _replay(self) -> list[AbstractCapability[Any]]:
        if self.recording is None:
            return []
        from punie.trace.workload.replay import ReplayTools

        return [ReplayTools(self.recording)]


@dataclass(frozen=True, slots=True)
class _Ended:
    output: str | None
    error: str | None
    abandoned: bool = False


async def _drain(_context: object, events: AsyncIterable[object]) -> None:
    """Having a handler is what makes the agent stream; the events themselves go to the spans."""
    async for _ in events:
        pass


async def _cancel(task: asyncio.Task[Any], before: set[asyncio.Task[Any]]) -> None:
    """Cancel `task`, then all that isn't from `before` it, until it ends: a tool may take that for an error of its own.

    Some do so for ever.
    """
    cancelled = {task}
    for _ in range(_CANCELS):
        if not task.done():
            for each in cancelled:
                each.cancel()
            await asyncio.wait({task}, timeout=_CANCEL_S)
            cancelled = asyncio.all_tasks() - before


def _sentence(error: BaseException) -> str:
    """Type and message; of a group, those of its first errors."""
    if isinstance(error, ForeignExitError):
        return str(error)
    if isinstance(error, BaseExceptionGroup):
        leaves = _leaves(error)
        more = f" (and {len(leaves) - _SHOWN_ERRORS} more)" if len(leaves) > _SHOWN_ERRORS else ""
        return "; ".join(map(_sentence, leaves[:_SHOWN_ERRORS])) + more
    message = str(error) or "; ".join(dict.fromkeys(getattr(error, "__notes__", ())))
    text = without_passwords(
        f"{type(error).__name__}: {message}{_of_the_connection(error)}".removesuffix(": ")
    )
    return text if len(text) <= _LONGEST_ERROR else shorten(text, _LONGEST_ERROR, placeholder="…")


def _of_the_connection(error: BaseException) -> str:
    """What broke it: client libraries say of all that went wrong with a connection that it did."""
    cause_text = ""
    cause = error.__cause__ if str(error) == _CONNECTION else None
    while cause is not None:
        cause_text = (
            f" ({type(cause).__name__}: {cause})" if str(cause) not in ("", _CONNECTION) else cause_text
        )
        cause = cause.__cause__
    return cause_text


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in _leaves(inner)]


def _gave_up(error: BaseException | None) -> bool:
    """Whether the client library's own time limit ended a request that the server still works on."""
    while error is not None:
        if type(error).__name__ == "APITimeoutError":
            return True
        error = error.__cause__ or error.__context__
    return False
