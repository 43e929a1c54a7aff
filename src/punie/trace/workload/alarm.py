"""An alarm for code that blocks the event loop: `time.sleep` in a coroutine, a loop without `await`.

Nothing of asyncio runs then, no time limit either. A signal does: its handler raises in the code that blocks.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

AGAIN_S: Final = 1.0


class BlockedLoopError(BaseException):
    """Raised in a coroutine that has kept the event loop to itself for too long; no `except Exception` holds it up."""


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise BlockedLoopError, from `seconds` on, in whatever task keeps the loop of this thread from its work.

    Only the main thread gets signals; elsewhere nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def ring(_number: int, _frame: FrameType | None) -> None:
        # else the loop is at its own work, and comes to the time limit
        if asyncio.current_task(loop) is not None:
            raise BlockedLoopError(f"blocked the event loop for {seconds:g} s")

    handler = signal.signal(signal.SIGALRM, ring)
    remaining_s, interval_s = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, remaining_s, interval_s)
        signal.signal(signal.SIGALRM, handler)
