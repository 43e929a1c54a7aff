"""Do spans get their times from a clock that can be trusted?"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Final

from punie.trace.doctor.check import CheckResult, ok, unknown, warn
from punie.trace.units import duration_text

Clock = Callable[[], int]

_STEP_NS: Final = 1_000_000
_LOOKS: Final = 200
_PAUSE_S: Final = 0.001
_TIMEX_BYTES: Final = 512  # the kernel's struct timex is smaller on every architecture
_TIME_ERROR: Final = 5  # adjtimex(2): the clock is not synchronised


def check_clock(
    wall: Clock = time.time_ns, monotonic: Clock = time.monotonic_ns, *, pause_s: float = _PAUSE_S
) -> CheckResult:
    """Hold the wall clock, which spans carry, against the monotonic one for a moment: a step shows as a jump."""
    offsets = [_offset(wall, monotonic)]
    began = monotonic()
    for _ in range(_LOOKS):
        time.sleep(pause_s)
        offsets.append(_offset(wall, monotonic))
    jump_ns = max(abs(later - earlier) for earlier, later in pairwise(offsets))
    period = f"within {duration_text(monotonic() - began)}"
    if jump_ns > _STEP_NS:
        return warn(
            f"the wall clock jumped by {duration_text(jump_ns)} {period}",
            "let time synchronisation settle before a run: spans carry the wall clock",
        )
    return ok(f"no step of the wall clock {period} (it moved by {duration_text(jump_ns)} at most)")


def _offset(wall: Clock, monotonic: Clock) -> int:
    """The wall clock's lead over the monotonic one: the smallest of three, for we may be put aside in between."""
    return min((wall() - monotonic() for _ in range(3)), key=abs)


def kernel_clock_state() -> int | None:
    """What `adjtimex` returns on Linux, None elsewhere."""
    if not sys.platform.startswith("linux"):
        return None
    nothing_to_set = ctypes.create_string_buffer(_TIMEX_BYTES)
    return int(ctypes.CDLL(None).adjtimex(nothing_to_set))


def check_synchronisation(state: Callable[[], int | None] = kernel_clock_state) -> CheckResult:
    """Does the kernel hold its clock for synchronised? It matters once spans of two machines meet."""
    is_synchronised = state()
    if is_synchronised is None or is_synchronised < 0:
        return unknown("this system doesn't report whether its clock is synchronised")
    if is_synchronised == _TIME_ERROR:
        return warn(
            "the kernel reports that its clock is not synchronised",
            "nothing on one machine; switch NTP on before comparing spans of two",
        )
    return ok("the kernel's clock is synchronised")
