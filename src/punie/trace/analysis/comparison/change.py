"""How one measure changed from A to B: the difference, the ratio, their intervals, and what they allow to say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from punie.trace.analysis.comparison.measures import Measure
from punie.trace.analysis.statistics.permutation import ALPHA
from punie.trace.analysis.statistics.two_means import TwoMeans


class Direction(StrEnum):
    """What a difference amounts to."""

    SLOWER = "slower"
    FASTER = "faster"
    NO_DIFFERENCE = "no difference beyond noise"
    UNDECIDED = "undecided"
    NOT_KNOWN = "not known"


class Claims(Enum):
    """What may be claimed of differences: nothing, what is beyond noise, or that both sides are the same answers."""

    NONE = auto()
    BEYOND_NOISE = auto()
    SAME_ANSWERS = auto()


@dataclass(frozen=True, slots=True)
class Change:
    """Nanoseconds a query: the mean over queries on both sides, B minus A, and B / A.

    Intervals are at 95 %, None where they can't be had. `p` is of this measure alone; `family_p` says how often chance
    gives a difference as large in any of the groups and phases (end to end it is `p`).
    """

    measure: Measure
    a_ns: float
    b_ns: float
    interval_ns: tuple[float, float] | None
    ratio: float | None
    ratio_interval: tuple[float, float] | None
    p: float | None
    family_p: float | None
    direction: Direction

    @property
    def difference_ns(self) -> float:
        """B minus A."""
        return self.b_ns - self.a_ns

    @property
    def is_significant(self) -> bool:
        """Whether it is more than noise."""
        return self.direction in (Direction.SLOWER, Direction.FASTER)


def change_of(
    measure: Measure,
    mean: tuple[float, float],
    means: TwoMeans | None,
    p: tuple[float, float] | None,
    claims: Claims,
) -> Change:
    """The change of one measure; `mean` are both sides' means, `p` its own and its family's."""
    a, b = mean
    interval = None
    if means is not None:
        interval = means.difference - means.half_width, means.difference + means.half_width
    return Change(
        measure=measure,
        a_ns=a,
        b_ns=b,
        interval_ns=interval,
        ratio=b / a if a > 0 else None,
        ratio_interval=means.ratio_interval() if means is not None else None,
        p=p[0] if p else None,
        family_p=p[1] if p else None,
        direction=_direction(measure, interval, p[1] if p else None, claims),
    )


def _direction(
    measure: Measure, interval: tuple[float, float] | None, p: float | None, claims: Claims
) -> Direction:
    """Slower or faster needs both: an interval without zero, and a permutation test that says the same."""
    if not measure.known:
        return Direction.NOT_KNOWN
    if claims is Claims.SAME_ANSWERS:
        return Direction.NO_DIFFERENCE
    if claims is Claims.NONE or interval is None or p is None:
        return Direction.UNDECIDED
    if p > ALPHA or interval[0] <= 0 <= interval[1]:
        return Direction.NO_DIFFERENCE
    return Direction.SLOWER if interval[0] > 0 else Direction.FASTER
