"""Ending early: signals stop what was started, and the user learns how to go on."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

from punie.trace.errors import OutputError

T = TypeVar("T")
_END_S: Final = 2.0


def run_without_waiting_for_others(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, but a task of user code's that can't be cancelled doesn't keep it: it is left where it is."""
    runner = asyncio.Runner()
    try:
        return runner.run(main)
    finally:
        if _all_end(runner.get_loop()):
            runner.close()


def _all_end(loop: asyncio.AbstractEventLoop) -> bool:
    others = asyncio.all_tasks(loop)
    for task in others:
        task.cancel()
    if others:
        loop.run_until_complete(asyncio.wait(others, timeout=_END_S))
    all_ended = all(task.done() for task in others)
    if not all_ended:  # Python would say of each, when it ends, that it was pending
        loop.set_exception_handler(lambda *_: None)
    return all_ended


def cancel_on(*signals: signal.Signals) -> None:
    """Each of `signals` cancels the present task, so that whatever it started is stopped.

    A forked child (of a tool's `multiprocessing.Pool`, say) ends by them as any process: it shares the pipe through
    which a loop hears of signals, and one that ends the child would cancel the task here.
    """
    task = asyncio.current_task()
    if task is None:
        return
    for number in signals:
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)

    def in_child() -> None:
        signal.set_wakeup_fd(-1)
        for number in signals:
            signal.signal(number, signal.SIG_DFL)

    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(after_in_child=in_child)


@contextmanager
def reporting_how_to_resume(log: Callable[[str], object], how: str) -> Iterator[None]:
    """However the block ends early, by a bug too, `log` how to go on; a cancelled task is an interruption."""
    try:
        yield
    except BaseException as error:
        with suppress(OutputError):  # what ended the block is what the exit code is about
            log(how)
        if isinstance(error, asyncio.CancelledError):
            raise KeyboardInterrupt from error
        raise
