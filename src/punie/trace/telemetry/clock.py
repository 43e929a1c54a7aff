"""Time for the write side, injectable: integer nanoseconds since the Unix epoch.

The wall clock, and not a monotonic one anchored to it: the agent and the server are two processes whose
spans must agree, and what steps one process's wall clock steps the other's.
"""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]


def wall_clock_ns() -> int:
    """Now, in nanoseconds since the Unix epoch; also what the OpenTelemetry SDK uses."""
    return time.time_ns()
