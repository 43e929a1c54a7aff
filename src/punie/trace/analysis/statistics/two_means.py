"""The difference and the ratio of two means, with intervals that always agree about "no difference".

The means may be of the same units (pairs), of separate ones, or of strata. Either way they come down to two means,
their variances, their covariance and degrees of freedom; from there on all is the same.
"""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from punie.trace.analysis.statistics.distributions import t_cdf, t_quantile
from punie.trace.analysis.statistics.spread import LEVEL

POWER: Final = 0.8
MOST: Final = 1_000  # more units than this nobody collects


@dataclass(frozen=True, slots=True)
class TwoMeans:
    """Two means with the variances of the means, their covariance, and degrees of freedom."""

    a: float
    b: float
    variance_a: float
    variance_b: float
    covariance: float
    degrees: int

    @property
    def difference(self) -> float:
        """B minus A."""
        return self.b - self.a

    @property
    def standard_error(self) -> float:
        """Of the difference."""
        return math.sqrt(max(0.0, self.variance_a + self.variance_b - 2 * self.covariance))

    @property
    def half_width(self) -> float:
        """Of the 95 % interval of the difference."""
        return self._t_quantile() * self.standard_error

    @property
    def p(self) -> float:
        """How often chance gives a difference as large, by Student's t; 5 % where the interval ends at 0."""
        error = self.standard_error
        if error == 0:
            return 1.0 if self.difference == 0 else 0.0
        return 2 * t_cdf(-abs(self.difference) / error, self.degrees)

    def ratio_interval(self) -> tuple[float, float] | None:
        """The 95 % interval of B / A; None if A's mean can't be distinguished from zero, so that no ratio is bounded.

        Source: Fieller, JRSS B 16 (1954). It leaves out 1 exactly where the difference's leaves out 0.
        """
        square = self._t_quantile() ** 2
        lead = self.a * self.a - square * self.variance_a
        middle = self.a * self.b - square * self.covariance
        last = self.b * self.b - square * self.variance_b
        if self.a <= 0 or lead <= 0:
            return None
        root = math.sqrt(max(0.0, middle * middle - lead * last))
        return (middle - root) / lead, (middle + root) / lead

    def detectable(self) -> float:
        """The difference that evidence like this would find 4 times of 5."""
        return (self._t_quantile() + t_quantile(POWER, self.degrees)) * self.standard_error

    def _t_quantile(self) -> float:
        return t_quantile((1 + LEVEL) / 2, self.degrees)


def of_pairs(a: Sequence[float], b: Sequence[float]) -> TwoMeans | None:
    """The units are pairs: `a[i]` belongs to `b[i]`. None for fewer than two."""
    count = len(a)
    if count < 2:
        return None
    return TwoMeans(
        a=statistics.fmean(a),
        b=statistics.fmean(b),
        variance_a=statistics.variance(a) / count,
        variance_b=statistics.variance(b) / count,
        covariance=statistics.covariance(a, b) / count,
        degrees=count - 1,
    )


def of_separate(a: Sequence[float], b: Sequence[float]) -> TwoMeans | None:
    """The units are separate. A single unit on one side is taken to vary like those of the other.

    None for fewer than three units. Degrees of freedom: Welch, Biometrika 34 (1947), rounded down.
    """
    if not a or not b or len(a) + len(b) < 3:
        return None
    spread_a = statistics.variance(a if len(a) > 1 else b)
    spread_b = statistics.variance(b if len(b) > 1 else a)
    degrees = len(a) + len(b) - 2
    if len(a) > 1 and len(b) > 1:
        degrees = _satterthwaite(((spread_a / len(a), len(a) - 1), (spread_b / len(b), len(b) - 1)), degrees)
    return TwoMeans(
        statistics.fmean(a), statistics.fmean(b), spread_a / len(a), spread_b / len(b), 0.0, degrees
    )


def of_strata(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> TwoMeans | None:
    """Each side's mean is the mean over strata that are given (queries), of units that vary within them (repeats).

    None if a stratum has fewer than two units.
    """
    if not a or not b or any(len(values) < 2 for values in (*a, *b)):
        return None
    parts_a = [(statistics.variance(v) / len(v) / len(a) ** 2, len(v) - 1) for v in a]
    parts_b = [(statistics.variance(v) / len(v) / len(b) ** 2, len(v) - 1) for v in b]
    return TwoMeans(
        a=statistics.fmean(map(statistics.fmean, a)),
        b=statistics.fmean(map(statistics.fmean, b)),
        variance_a=math.fsum(variance for variance, _ in parts_a),
        variance_b=math.fsum(variance for variance, _ in parts_b),
        covariance=0.0,
        degrees=_satterthwaite((*parts_a, *parts_b), sum(df for _, df in (*parts_a, *parts_b))),
    )


def units_to_detect(means: TwoMeans, units: int, *, difference: float) -> int | None:
    """How many units in place of `units` would find `difference` 4 times of 5; None if more than 1000.

    Degrees of freedom grow with the units.
    """
    if difference <= 0:
        return None
    enough = bisect.bisect_left(
        range(2, MOST + 1), -difference, key=lambda total: -_detectable(means, units, total)
    )
    return enough + 2 if enough < MOST - 1 else None


def _detectable(means: TwoMeans, units: int, total: int) -> float:
    """As `TwoMeans.detectable`, with `total` units in place of `units`: it falls with every unit more."""
    degrees = max(1, round(means.degrees * total / units))
    quantiles = t_quantile((1 + LEVEL) / 2, degrees) + t_quantile(POWER, degrees)
    return quantiles * means.standard_error * math.sqrt(units / total)


def _satterthwaite(parts: Sequence[tuple[float, int]], otherwise: int) -> int:
    squares = math.fsum(variance * variance / degrees for variance, degrees in parts)
    total = math.fsum(variance for variance, _ in parts)
    return max(1, math.floor(total * total / squares)) if squares > 0 else otherwise
