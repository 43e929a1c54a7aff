"""A gate for builds: fail if B is slower by more than two thresholds, both, and that is more than noise."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from punie.trace.analysis.comparison.change import Change, Direction
from punie.trace.analysis.comparison.compare import Comparison


class GateOutcome(StrEnum):
    """What a gate says."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Both must be exceeded: `above` is a share of A, `above_ns` nanoseconds a query. 0 is any difference."""

    above: float
    above_ns: int


class GateReason(StrEnum):
    """Why a gate says what it says."""

    NOTHING_DECIDED = "nothing-decided"
    SLOWER = "slower"
    SLOWER_IN_THESE_STARTS = "slower-in-these-starts"
    STARTS_DIFFER_AS_MUCH = "starts-differ-as-much"
    MAY_BE_NOISE = "may-be-noise"
    WITHIN_THRESHOLDS = "within-thresholds"
    SAME_ANSWERS = "same-answers"
    NOT_SLOWER = "not-slower"


@dataclass(frozen=True, slots=True)
class GateResult:
    """The answer and the reason."""

    gate: GateOutcome
    reason: GateReason


def judge(comparison: Comparison, thresholds: Thresholds) -> GateResult:
    """Undecided if nothing can be decided, or if it looks too slow and noise could be all of it.

    Two starts of one server differ by themselves, so a failure needs several on each side. With both thresholds 0 the
    question is only whether there is a slow-down beyond noise, so noise passes.
    """
    change = comparison.end_to_end
    if change is None or change.direction is Direction.UNDECIDED:
        return GateResult(GateOutcome.UNDECIDED, GateReason.NOTHING_DECIDED)
    beyond = _exceeds(change, thresholds)
    if change.direction is Direction.SLOWER:
        return _slower(comparison) if beyond else GateResult(GateOutcome.PASSED, GateReason.WITHIN_THRESHOLDS)
    any_slow_down = not (thresholds.above or thresholds.above_ns)
    if change.direction is Direction.NO_DIFFERENCE and beyond and not any_slow_down:
        return GateResult(GateOutcome.UNDECIDED, GateReason.MAY_BE_NOISE)
    return GateResult(
        GateOutcome.PASSED, GateReason.SAME_ANSWERS if comparison.identical else GateReason.NOT_SLOWER
    )


def _slower(comparison: Comparison) -> GateResult:
    """Failed, unless what differs from start to start could be all of it."""
    if comparison.design is not None and comparison.design.covers_starts:
        return GateResult(GateOutcome.FAILED, GateReason.SLOWER)
    if min(comparison.a.starts, comparison.b.starts) > 1:
        return GateResult(GateOutcome.UNDECIDED, GateReason.STARTS_DIFFER_AS_MUCH)
    return GateResult(GateOutcome.UNDECIDED, GateReason.SLOWER_IN_THESE_STARTS)


def _exceeds(change: Change, thresholds: Thresholds) -> bool:
    grown = change.ratio is None or change.ratio - 1 > thresholds.above
    return change.difference_ns > thresholds.above_ns and grown
