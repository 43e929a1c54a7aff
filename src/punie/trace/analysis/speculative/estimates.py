"""Figures with intervals: made from counts and paired timings, and carried through a formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from punie.trace.analysis.experiment.drafting import add_places
from punie.trace.analysis.speculative.model import Estimate
from punie.trace.analysis.statistics.distributions import clopper_pearson_lower
from punie.trace.analysis.statistics.ratio import RatioUnit, half_width, ratio
from punie.trace.analysis.statistics.spread import LEVEL


@dataclass(frozen=True, slots=True)
class AcceptanceCount:
    """One answer written with a draft: its steps, and how many of them got at least to each place."""

    steps: int
    accepted_by_position: tuple[int, ...]

    @property
    def accepted(self) -> int:
        """Proposals that became output."""
        return sum(self.accepted_by_position)

    @property
    def judged(self) -> int:
        """Proposals that the target looked at: those whose predecessors in the step were all taken."""
        return self.steps + sum(self.accepted_by_position[:-1])


def acceptance(answers: Sequence[AcceptanceCount]) -> Estimate | None:
    """The chance that a proposal is taken if those before it were; None without a judged proposal.

    Answers are the units of the interval, because acceptance differs between texts more than between the tokens of
    one. A single answer has the binomial interval (Clopper and Pearson), which is too narrow and all there is.
    """
    units = [RatioUnit(float(a.accepted), float(a.judged)) for a in answers if a.judged]
    rate = ratio(units)
    if rate is None:
        return None
    width = half_width(units, level=LEVEL)
    if width is None:
        taken, judged = sum(a.accepted for a in answers), sum(a.judged for a in answers)
        level = (1 + LEVEL) / 2
        low = clopper_pearson_lower(taken, judged, level=level)
        return Estimate(rate, low, 1 - clopper_pearson_lower(judged - taken, judged, level=level))
    return Estimate(rate, max(0.0, rate - width.value), min(1.0, rate + width.value))


def positions(answers: Sequence[AcceptanceCount]) -> tuple[float, ...]:
    """The share of steps that got at least to each place; empty without steps."""
    steps = sum(answer.steps for answer in answers)
    reached = add_places(answer.accepted_by_position for answer in answers)
    return tuple(count / steps for count in reached) if steps else ()


def paired_ratio(parts: Sequence[float], wholes: Sequence[float]) -> Estimate:
    """Σ parts / Σ wholes of timings taken in pairs (one right after the other), with its interval over pairs.

    A single pair has no interval: its ends are 0 and infinity. Raises ValueError without a pair.
    """
    units = [RatioUnit(part, whole) for part, whole in zip(parts, wholes, strict=True)]
    value = ratio(units)
    if value is None:
        raise ValueError("no pair of timings")
    width = half_width(units, level=LEVEL)
    if width is None:
        return Estimate(value, 0.0, math.inf)
    return Estimate(value, max(0.0, value - width.value), value + width.value)


def median_ratio(parts: Sequence[float], wholes: Sequence[float]) -> Estimate:
    """The median of part / whole of timings taken in pairs: a burst of other work spoils single pairs, not it.

    The interval is between two order statistics, exact whatever the noise is like: at least 95 % that the median is
    inside. Fewer than 6 pairs can't say that; they give `paired_ratio`. Raises ValueError without a pair.
    """
    ratios = sorted(part / whole for part, whole in zip(parts, wholes, strict=True))
    count = len(ratios)
    outside = next((low for low in range(count // 2, 0, -1) if _below(low, count) <= (1 - LEVEL) / 2), 0)
    if outside == 0:
        return paired_ratio(parts, wholes)
    return Estimate(median(ratios), ratios[outside - 1], ratios[count - outside])


def _below(rank: int, count: int) -> float:
    """The chance that fewer than `rank` of `count` values are below their median."""
    return float(sum(math.comb(count, below) for below in range(rank)) / 2**count)


def propagate(formula: Callable[..., float], *inputs: Estimate) -> Estimate:
    """`formula` of the inputs' values, with an interval from theirs, taken as independent of each other.

    Each input is moved to its ends, the others held; the deviations to either side are added in quadrature.
    """
    values = [item.value for item in inputs]
    middle = formula(*values)
    down = up = 0.0
    for index, item in enumerate(inputs):
        ends = [formula(*values[:index], end, *values[index + 1 :]) for end in (item.low, item.high)]
        down += min(0.0, *(end - middle for end in ends)) ** 2
        up += max(0.0, *(end - middle for end in ends)) ** 2
    return Estimate(middle, middle - math.sqrt(down), middle + math.sqrt(up))
