"""How much more evidence an undecided share would need, if what comes is like what was measured."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import msgspec

from punie.trace.analysis.statistics.distributions import t_quantile
from punie.trace.analysis.statistics.ratio import RatioUnit, ratio
from punie.trace.analysis.statistics.spread import LEVEL

MOST: Final = 1_000  # more than this nobody runs: "not reachable"


class RepeatNeed(msgspec.Struct, frozen=True):
    """How many repeats of each query would decide. `total` is None if no number of repeats would.

    `known` is False where no query was repeated: then what repeats would smooth is not known, `total` is None.
    """

    known: bool
    total: int | None


def units_needed(*, units: int, half_width: float, margin: float) -> int | None:
    """How many units in all bring `half_width` of `units` below `margin`; None if more than 1000 would.

    The half-width shrinks with the square root of the number of units and with Student's t: it is found by bisection,
    since a quantile of t costs a millisecond.
    """
    if margin <= 0 or units < 2:
        return None
    spread = half_width * math.sqrt(units) / t_quantile((1 + LEVEL) / 2, units - 1)

    def is_enough(total: int) -> bool:
        return spread * t_quantile((1 + LEVEL) / 2, total - 1) / math.sqrt(total) < margin

    totals = range(units + 1, MOST + 1)
    place = bisect_left(totals, 1, key=is_enough)
    return totals[place] if place < len(totals) else None


def repeats_needed(repeats_by_query: Sequence[Sequence[RatioUnit]], *, margin: float) -> RepeatNeed:
    """How many repeats of each query bring the interval over queries inside `margin` of the estimate.

    Repeats smooth only what varies within a query; what differs between queries stays. Variances are those of
    the linearised ratio: within a query pooled, between queries what is left.
    """
    count = len(repeats_by_query)
    spare = sum(len(repeats) - 1 for repeats in repeats_by_query)
    if spare < 1 or count < 2:
        return RepeatNeed(known=False, total=None)
    residuals = _residuals(repeats_by_query)
    means = [math.fsum(of_query) / len(of_query) for of_query in residuals]
    within = (
        math.fsum((r - m) ** 2 for of_query, m in zip(residuals, means, strict=True) for r in of_query)
        / spare
    )
    harmonic = count / math.fsum(1 / len(of_query) for of_query in residuals)
    between = max(0.0, math.fsum(m * m for m in means) / (count - 1) - within / harmonic)
    room = count * (margin / t_quantile((1 + LEVEL) / 2, count - 1)) ** 2 - between
    if room <= 0:
        return RepeatNeed(known=True, total=None)
    total = max(math.floor(within / room) + 1, max(len(of_query) for of_query in residuals) + 1)
    return RepeatNeed(known=True, total=total if total <= MOST else None)


def _residuals(repeats_by_query: Sequence[Sequence[RatioUnit]]) -> list[list[float]]:
    """`(part - ratio * whole) / mean whole` of every repeat."""
    means = [
        RatioUnit(
            math.fsum(u.part for u in units) / len(units), math.fsum(u.whole for u in units) / len(units)
        )
        for units in repeats_by_query
    ]
    share = ratio(means) or 0.0
    whole = math.fsum(unit.whole for unit in means) / len(means)
    return [[(u.part - share * u.whole) / whole for u in units] for units in repeats_by_query]
