"""What the machine did while a server start was measured: a sleep, a step of the clock, swapping, a throttled CPU."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from punie.trace.machine.programs import RunProgram, program_output
from punie.trace.machine.swap import read_swap
from punie.trace.units import NS_PER_S, bytes_text, duration_text

LONGEST_GAP_NS: Final = 2 * NS_PER_S
"""Clocks that are adjusted drift apart by less; a machine that slept, by more."""
LEAST_SWAP_BYTES: Final = 64 * 2**20
"""Less is what other programs do in the background."""
_COUNTS: Final = "devices/system/cpu/cpu*/thermal_throttle/*_throttle_count"
_SPEED_LIMIT: Final = re.compile(r"CPU_Speed_Limit\s*=\s*(\d+)")
_FULL_SPEED: Final = 100
_THERMAL: Final = ("/usr/bin/pmset", "-g", "therm")


@dataclass(frozen=True, slots=True)
class MachineState:
    """One look at the machine. `throttled` changes when the CPU is slowed down; None: not known."""

    wall_ns: int
    monotonic_ns: int
    swap_used_bytes: int
    swapped_in_bytes: int | None
    swapped_out_bytes: int | None
    throttled: int | None

    @classmethod
    def now(cls) -> MachineState:
        """The machine as it is."""
        swap = read_swap()
        return cls(
            time.time_ns(),
            time.monotonic_ns(),
            swap.used_bytes,
            swap.in_bytes,
            swap.out_bytes,
            read_throttling(),
        )


def disturbances(before: MachineState, after: MachineState) -> tuple[str, ...]:
    """What happened between two looks that makes times those of another machine, in a sentence each."""
    reasons = []
    gap_ns = (after.wall_ns - before.wall_ns) - (after.monotonic_ns - before.monotonic_ns)
    if abs(gap_ns) > LONGEST_GAP_NS:
        reasons.append(f"the machine slept, or its clock was set: {duration_text(abs(gap_ns))}")
    moved = (
        increase(before.swapped_in_bytes, after.swapped_in_bytes),
        increase(before.swapped_out_bytes, after.swapped_out_bytes),
    )
    if (swapped := sum(filter(None, moved))) > LEAST_SWAP_BYTES:
        reasons.append(f"the machine swapped {bytes_text(swapped)}")
    if before.throttled is not None and after.throttled is not None and after.throttled != before.throttled:
        reasons.append("the CPU was throttled")
    return tuple(reasons)


def increase(before: int | None, after: int | None) -> int | None:
    """How much a counter rose; None where it isn't known."""
    return None if before is None or after is None else after - before


def read_throttling(
    root: Path = Path("/sys"), platform: str = sys.platform, run: RunProgram = program_output
) -> int | None:
    """A number that changes when the CPU is throttled: events on Linux, percent of speed lost on macOS.

    None where the machine doesn't report it, as in most virtual machines.
    """
    if platform == "darwin":
        return _read_speed_limit(run)
    counts = []
    for file in root.glob(_COUNTS):
        try:
            counts.append(int(file.read_text()))
        except (OSError, ValueError):  # a core that went offline
            continue
    return sum(counts) if counts else None


def _read_speed_limit(run: RunProgram) -> int | None:
    """How many percent of the CPU's speed macOS takes away at present."""
    limit = _SPEED_LIMIT.search(run(_THERMAL))
    return _FULL_SPEED - int(limit.group(1)) if limit else None
