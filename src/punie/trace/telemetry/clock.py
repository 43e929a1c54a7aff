"""Time for the write side, injectable: integer nanoseconds since the Unix epoch.

The wall clock, and not a monotonic one anchored to it: the agent and the server are two processes whose
spans must agree, and what steps one process's wall clock steps the other's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

Clock = Callable[[], int]


STEP_NS: Final = 100_000_000
SLEW: Final = 1000  # a clock that is slewed gains less than a thousandth


def wall_clock_offset_ns() -> int:
    """How far the wall clock is ahead of the monotonic one: constant, but for steps and slewing."""
    return time.time_ns() - time.monotonic_ns()


def wall_clock_ns() -> int:
    """Now, in nanoseconds since the Unix epoch; also what the OpenTelemetry SDK uses."""
    return time.time_ns()
