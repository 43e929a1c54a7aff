"""Ending early: signals stop what was started, and the user learns how to go on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from punie.trace.errors import OutputError


def cancel_on(*signals: signal.Signals) -> None:
    """Each of `signals` cancels the present task, so that whatever it started is stopped."""
    task = asyncio.current_task()
    if task is not None:
        for number in signals:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


@contextmanager
def telling_how_to_go_on(say: Callable[[str], object], how: str) -> Iterator[None]:
    """However the block ends early, by a bug too, `say` how to go on; a cancelled task is an interruption."""
    try:
        yield
    except BaseException as error:
        with suppress(OutputError):  # what ended the block is what the exit code is about
            say(how)
        if isinstance(error, asyncio.CancelledError):
            raise KeyboardInterrupt from error
        raise
