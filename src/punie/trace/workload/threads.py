"""Threads for a query's tools: none can keep the process, and all can ask whether their query has ended."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

current_tool: Final[ContextVar[str]] = ContextVar("current_tool", default="a function of the agent")
"""The name of the tool that runs in this context."""
_query_ended: Final[ContextVar[threading.Event | None]] = ContextVar("query_ended", default=None)
_LOOK_S: Final = 0.01
_LOOKS: Final = 100  # a second in all, in which our own tools look ten times whether their query has ended


def query_has_ended() -> bool:
    """Whether the query is over for which this code runs; long work in a thread asks now and then."""
    ended = _query_ended.get()
    return ended is not None and ended.is_set()


class ForeignExitError(Exception):
    """A tool raised what ends a program or a loop (`SystemExit`, `StopIteration` …): its query alone failed."""

    @classmethod
    def of(cls, error: BaseException) -> ForeignExitError:
        """`error`, by type and message, as one that ends the query alone."""
        return cls(f"{type(error).__name__}: {error}")


class ToolThreads(Executor):
    """An executor for the functions of one query: each call has a daemon thread of its own.

    Python can't stop a thread. One that never returns must not hold up the end of the process, as those of
    `ThreadPoolExecutor` and of anyio do.
    """

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._running: dict[threading.Thread, str] = {}
        self._lock = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start `fn` in a thread; what it raises reaches the caller as an `Exception`."""
        future: Future[T] = Future()

        def work() -> None:
            if future.set_running_or_notify_cancel():
                _settle(future, lambda: fn(*args, **kwargs))
            with self._lock:
                del self._running[threading.current_thread()]

        tool = current_tool.get()
        thread = threading.Thread(target=work, name=f"tool: {tool}", daemon=True)
        with self._lock:
            self._running[thread] = tool
        thread.start()
        return future

    @contextmanager
    def as_current(self) -> Iterator[None]:
        """What runs inside can ask whether the query of these threads has ended."""
        token = _query_ended.set(self._ended)
        try:
            yield
        finally:
            _query_ended.reset(token)

    async def end(self) -> tuple[str, ...]:
        """The query is over. Returns the tools whose threads go on all the same, after a moment to stop."""
        self._ended.set()
        for _ in range(_LOOKS):
            if not self.running:
                break
            await asyncio.sleep(_LOOK_S)
        return self.running

    @property
    def running(self) -> tuple[str, ...]:
        """The tools whose threads run, by name."""
        with self._lock:
            return tuple(sorted(self._running.values()))


def _settle(future: Future[T], call: Callable[[], T]) -> None:
    try:
        future.set_result(call())
    except StopIteration as error:  # no future takes it
        future.set_exception(ForeignExitError.of(error))
    except Exception as error:  # noqa: BLE001 # not swallowed: it is the caller's
        future.set_exception(error)
    except BaseException as error:  # noqa: BLE001 # as above; a loop would take SystemExit for its own end
        future.set_exception(ForeignExitError.of(error))
