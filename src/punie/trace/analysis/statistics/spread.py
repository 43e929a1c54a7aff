"""Describing a list of measured values: mean, median and the percentiles that so many values can carry."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

LEVEL: Final = 0.95
P95_FROM: Final = 20
P99_FROM: Final = 100


class Method(StrEnum):
    """How an interval was computed."""

    JACKKNIFE_T = "jackknife-t"
    BOOTSTRAP_T = "symmetric bootstrap-t"
    CLOPPER_PEARSON_LOWER = "one-sided Clopper-Pearson"


class UnitKind(StrEnum):
    """What was taken as one independent observation."""

    QUERY = "query"
    SERVER_START = "server start"
    BLOCK = "block"


class Interval(msgspec.Struct, frozen=True):
    """A confidence interval of a share (`0 <= low <= high <= 1`) or of a ratio of times (`0 <= low`).

    `level` is its nominal coverage, `units` how many observations of kind `over` it rests on. Of a share over several
    server starts that is the kind that makes it wide; the other is in its width as well.
    """

    low: float
    high: float
    level: float
    method: Method
    units: int
    over: UnitKind = UnitKind.QUERY

    def holds(self, value: float) -> bool:
        """Whether `value` lies inside, ends included."""
        return self.low <= value <= self.high


class Spread(msgspec.Struct, frozen=True):
    """Integer nanoseconds of several observations. `p95_ns` needs 20 of them, `p99_ns` 100; else None."""

    count: int
    mean_ns: int
    median_ns: int
    min_ns: int
    max_ns: int
    p95_ns: int | None
    p99_ns: int | None


def spread(values_ns: Sequence[int]) -> Spread | None:
    """The spread of `values_ns`; None if there are none. Mean and median are rounded to whole nanoseconds."""
    if not values_ns:
        return None
    return Spread(
        count=len(values_ns),
        mean_ns=_divide(sum(values_ns), len(values_ns)),
        median_ns=median_ns(values_ns),
        min_ns=min(values_ns),
        max_ns=max(values_ns),
        p95_ns=percentile(values_ns, 95) if len(values_ns) >= P95_FROM else None,
        p99_ns=percentile(values_ns, 99) if len(values_ns) >= P99_FROM else None,
    )


def spread_of_extremes(
    *, count: int, sum_ns: int, least: int, most: int, middle: tuple[int, int], p95: int, p99: int
) -> Spread:
    """The spread of `count` values that someone else sorted: `middle` are the two around the median, or it twice."""
    return Spread(
        count=count,
        mean_ns=_divide(sum_ns, count),
        median_ns=_divide(sum(middle), 2),
        min_ns=least,
        max_ns=most,
        p95_ns=p95 if count >= P95_FROM else None,
        p99_ns=p99 if count >= P99_FROM else None,
    )


def median_ns(values_ns: Sequence[int]) -> int:
    """The median in whole nanoseconds. Raises statistics.StatisticsError for an empty list."""
    low, high = statistics.median_low(values_ns), statistics.median_high(values_ns)
    return _divide(low + high, 2)


def percentile(values: Sequence[int], percent: int) -> int:
    """The nearest-rank percentile: the smallest value that `percent` % of the values don't exceed.

    It is always a value that was measured. Raises ValueError for an empty list or a percent outside 1..100.
    """
    if not values or not 1 <= percent <= 100:
        raise ValueError(f"percentile {percent} of {len(values)} values")
    return sorted(values)[nearest_rank(len(values), percent)]


def nearest_rank(count: int, percent: int) -> int:
    """The place of a percentile, from 0, in `count` sorted values."""
    return math.ceil(percent * count / 100) - 1


def _divide(dividend: int, divisor: int) -> int:
    """Integer division, halves up: a float would lose nanoseconds of a long run."""
    return (2 * dividend + divisor) // (2 * divisor)
