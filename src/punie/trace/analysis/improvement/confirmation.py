"""When a confirmation may stop, so that looking early doesn't make luck look like speed.

It is looked at a fixed number of times. At each look the interval is made at level 1 - 5 %/looks, so that with a
probability of at least 95 % all of them hold the true speed-up, whichever one it stops at (Bonferroni's inequality: no
assumption on how the looks depend on each other). It stops as soon as that interval excludes 1, or excludes anything
that would be worth having; from the second look on also where the estimate itself is not worth having, since going on
could hardly change that (stopping early for want of effect can't make luck look like speed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from punie.trace.analysis.improvement.model import ArmMeasurement
from punie.trace.analysis.statistics.spread import LEVEL, Interval
from punie.trace.model import Verdict

LOOKS: Final = (4, 8, 16, 24, 36)
"""Blocks after which a confirmation is looked at."""
WORTH_HAVING: Final = 1.02
"""A speed-up that is surely smaller is none."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the fresh blocks say: `interval` holds over all looks together; None between two looks."""

    verdict: Verdict
    speed_up: float | None
    interval: Interval | None
    blocks: int
    next_look: int | None


def look_level(looks: Sequence[int] = LOOKS) -> float:
    """The level of each look's interval, for `LEVEL` in all."""
    return 1 - (1 - LEVEL) / len(looks)


def look(arm: ArmMeasurement, finished: int, looks: Sequence[int] = LOOKS) -> Confirmation:
    """Judge what `finished` blocks left; `next_look` is None once it is decided or no look is left.

    What was interrupted between two looks isn't judged there: that would be one look more.
    """
    later = next((blocks for blocks in looks if blocks > finished), None)
    if later is not None and finished not in looks:
        return Confirmation(Verdict.UNDECIDED, arm.speed_up, None, len(arm.blocks), later)
    interval = arm.interval(look_level(looks))
    verdict = _verdict(interval)
    in_vain = finished >= looks[1:2][0] if looks[1:2] else True
    if verdict is Verdict.UNDECIDED and in_vain and (arm.speed_up or 0) < WORTH_HAVING:
        verdict = Verdict.NO
    next_look = later if verdict is Verdict.UNDECIDED else None
    return Confirmation(verdict, arm.speed_up, interval, len(arm.blocks), next_look)


def _verdict(interval: Interval | None) -> Verdict:
    if interval is None:
        return Verdict.UNDECIDED
    if interval.low > 1:
        return Verdict.YES
    return Verdict.NO if interval.high < WORTH_HAVING else Verdict.UNDECIDED
