"""A gate for builds: fail if B is slower by more than two thresholds, both, and that is more than noise."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from punie.trace.analysis.comparison.change import Change, Direction
from punie.trace.analysis.comparison.compare import Comparison
from punie.trace.units import duration_text, share_text


class Gate(StrEnum):
    """What a gate says."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Both must be exceeded: `above` is a share of A, `above_ns` nanoseconds a query. 0 is any difference."""

    above: float
    above_ns: int


@dataclass(frozen=True, slots=True)
class GateResult:
    """The answer and the reason, a clause."""

    gate: Gate
    reason: str


def judge(comparison: Comparison, thresholds: Thresholds) -> GateResult:
    """Undecided if nothing can be decided, or if it looks too slow and noise could be all of it.

    Two starts of one server differ by themselves, so a failure needs several on each side. With both thresholds 0 the
    question is only whether there is a slow-down beyond noise, so noise passes.
    """
    change = comparison.end_to_end
    if change is None or change.direction is Direction.UNDECIDED:
        return GateResult(Gate.UNDECIDED, "; ".join(comparison.undecided))
    beyond = _exceeds(change, thresholds)
    anything = not (thresholds.above or thresholds.above_ns)
    if change.direction is Direction.SLOWER and beyond:
        missing = _not_covered(comparison)
        if missing:
            return GateResult(
                Gate.UNDECIDED, f"{_size(change)} slower, beyond both thresholds, but {missing}"
            )
        return GateResult(Gate.FAILED, f"{_size(change)} slower, beyond noise and both thresholds")
    if change.direction is Direction.NO_DIFFERENCE and beyond and not anything:
        return GateResult(Gate.UNDECIDED, f"{_size(change)} slower, which may be noise")
    if change.direction is Direction.SLOWER:
        return GateResult(Gate.PASSED, f"{_size(change)} slower, not beyond both thresholds")
    same = "the same answers on both sides"
    return GateResult(Gate.PASSED, same if comparison.identical else change.direction.value)


def _not_covered(comparison: Comparison) -> str:
    """Why start-to-start noise could be all of it and what to do, a clause; empty if it couldn't."""
    if comparison.design is not None and comparison.design.covers_starts:
        return ""
    if min(comparison.a.starts, comparison.b.starts) > 1:
        return "not beyond what differs between server starts: ask the same queries in all of them, on both sides"
    return "from one server start on a side, which may be all of it: make several on each side, in turns"


def _exceeds(change: Change, thresholds: Thresholds) -> bool:
    grown = change.ratio is None or change.ratio - 1 > thresholds.above
    return change.difference_ns > thresholds.above_ns and grown


def _size(change: Change) -> str:
    share = f" ({share_text(change.ratio - 1)})" if change.ratio is not None else ""
    return f"{duration_text(change.difference_ns)}{share} a query"
