"""How much faster: Σ baseline time / Σ arm time over the same queries, with its interval over blocks.

Two starts of one server differ by more than two executions of one query, so a block (every arm's server started anew)
is one observation, and queries are paired inside it. The interval speaks of these queries on this machine, started
again; how far single queries differ stands beside it.

One k of several looks best partly by luck. "Some k reaches the threshold" therefore has to hold for all of them at
once (the largest of their t values, see `widening`); "none does" is claimed of each k at the full level, which needs
no correction, because all of the claims have to be right at once (an intersection-union test). Together they make the
interval of the best.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import Final

from msgspec.structs import replace

from punie.trace.analysis.experiment.observation import Observation
from punie.trace.analysis.experiment.pairing import Measure, Pair, pair
from punie.trace.analysis.statistics.distributions import t_quantile
from punie.trace.analysis.statistics.need import units_needed
from punie.trace.analysis.statistics.ratio import SEED, RatioUnit, half_width, ratio
from punie.trace.analysis.statistics.spread import LEVEL, Interval, UnitKind
from punie.trace.model import Verdict

_DRAWS: Final = 1_999


@dataclass(frozen=True, slots=True)
class SpeedUp:
    """`arm` against `baseline`: above 1 the arm is faster.

    `interval` is None for fewer than two blocks. `shared` is the wider one that holds for all arms at once from
    which the best is chosen. `queries` are the speed-ups of single queries. `censored` pairs were left
    out because an answer failed or was cut off.
    """

    arm: str
    baseline: str
    estimate: float
    interval: Interval | None
    shared: Interval | None
    blocks: int
    pairs: int
    censored: int
    queries: tuple[tuple[str, float], ...]

    def verdict(self, threshold: float) -> Verdict:
        """Whether this arm, taken alone, reaches the threshold."""
        return judge(self.interval, threshold)


@dataclass(frozen=True, slots=True)
class FastestArm:
    """The fastest of several arms, with the interval of "the best k" corrected for having chosen it.

    `moved_by` is the factor by which its ends were moved outwards, because two identical arms differed by more than
    their interval allows; 1 if they didn't.
    """

    speed_up: SpeedUp
    interval: Interval | None
    among: tuple[str, ...]
    moved_by: float

    def verdict(self, threshold: float) -> Verdict:
        """Whether the best of them reaches the threshold."""
        return judge(self.interval, threshold)


def judge(interval: Interval | None, threshold: float) -> Verdict:
    """`yes` if all of the interval reaches the threshold, `no` if all of it is below, else `undecided`."""
    if interval is None or interval.low < threshold <= interval.high:
        return Verdict.UNDECIDED
    return Verdict.YES if interval.low >= threshold else Verdict.NO


def speed_up(
    observations: Sequence[Observation],
    arm: str,
    baseline: str,
    measure: Measure,
    *,
    wider: float = 1.0,
    level: float = LEVEL,
) -> SpeedUp | None:
    """The speed-up of `arm` by `measure`, intervals at `level`; None without a pair that counts.

    `wider` is how much wider its interval has to be for all arms that are compared at once, from `widening`.
    """
    paired = pair(observations, (baseline, arm), measure)
    units = tuple(block_units(paired.pairs).values())
    estimate = ratio(units)
    if estimate is None:
        return None
    return SpeedUp(
        arm=arm,
        baseline=baseline,
        estimate=estimate,
        interval=_interval(units, estimate, 1.0, level),
        shared=_interval(units, estimate, wider, level),
        blocks=len(units),
        pairs=len(paired.pairs),
        censored=paired.censored,
        queries=_by_query(paired.pairs),
    )


def widening(
    observations: Sequence[Observation],
    arms: Sequence[str],
    baseline: str,
    measure: Measure,
    *,
    level: float = LEVEL,
) -> float:
    """How much wider intervals must be to hold for all `arms` at once, from 1 up to Bonferroni's factor.

    Arms share baseline and blocks, so their errors go together and Bonferroni asks too much. The blocks' residuals
    are multiplied by normal variates, the same for all arms, and the quantile of the largest t is taken.
    Source: Hothorn, Bretz and Westfall, "Simultaneous inference in general parametric models" (2008).
    """
    by_arm = [block_units(pair(observations, (baseline, arm), measure).pairs) for arm in arms]
    common = sorted(set(by_arm[0]).intersection(*by_arm[1:])) if by_arm else []
    if len(arms) < 2 or len(common) < 2:
        return 1.0
    residuals = [_residuals([units[block] for block in common]) for units in by_arm]
    draws = sorted(
        max(_along(of_arm, draw) for of_arm in residuals) / draw.scale for draw in _draws(len(common))
    )
    quantile = draws[math.ceil((1 + level) / 2 * (_DRAWS + 1)) - 1]
    alone = t_quantile((1 + level) / 2, len(common) - 1)
    most = t_quantile(1 - (1 - level) / 2 / len(arms), len(common) - 1)
    return max(1.0, min(quantile, most) / alone)


def best_of(candidates: Iterable[SpeedUp], *, same_again: SpeedUp | None = None) -> FastestArm | None:
    """The candidate with the largest estimate; None without candidates. `same_again` is the baseline against itself."""
    ups = tuple(candidates)
    if not ups:
        return None
    moved = moved_by(same_again)
    first = max(ups, key=lambda up: up.estimate)
    return FastestArm(first, _best_interval(ups, first, moved), tuple(up.arm for up in ups), moved)


def blocks_needed(best: FastestArm, threshold: float) -> int | None:
    """How many blocks in all would decide, if more are like these; None if more than 1000 would, or nobody knows."""
    if best.interval is None:
        return None
    estimate = best.speed_up.estimate
    width = estimate - best.interval.low if estimate > threshold else best.interval.high - estimate
    return units_needed(units=best.interval.units, half_width=width, margin=abs(estimate - threshold))


def _best_interval(ups: Sequence[SpeedUp], first: SpeedUp, moved: float) -> Interval | None:
    lows = [up.shared.low for up in ups if up.shared]
    highs = [up.interval.high for up in ups if up.interval]
    if len(highs) < len(ups) or first.interval is None:
        return None  # an arm without an interval may be anything
    return replace(
        first.interval,
        low=max(lows) / moved,
        high=max(highs) * moved,
        units=min(up.blocks for up in ups),
    )


def moved_by(same_again: SpeedUp | None) -> float:
    """The factor by which ends of intervals move outwards, because two identical arms differ; 1 if they don't."""
    if same_again is None or same_again.interval is None or same_again.interval.holds(1.0):
        return 1.0
    return math.exp(abs(math.log(same_again.estimate)))


def _interval(units: Sequence[RatioUnit], estimate: float, wider: float, level: float) -> Interval | None:
    half = half_width(units, level=level)
    if half is None:
        return None
    width = half.value * wider
    return Interval(
        max(0.0, estimate - width), estimate + width, level, half.method, len(units), UnitKind.BLOCK
    )


@dataclass(frozen=True, slots=True)
class _Draw:
    """Normal variates, one a block, and the scale that makes their sums t-distributed."""

    normal: tuple[float, ...]
    scale: float


@lru_cache(maxsize=8)
def _draws(blocks: int) -> tuple[_Draw, ...]:
    generator = random.Random(SEED)  # noqa: S311 # resampling, no secret
    return tuple(
        _Draw(
            tuple(generator.gauss() for _ in range(blocks)),
            math.sqrt(generator.gammavariate((blocks - 1) / 2, 2) / (blocks - 1)),
        )
        for _ in range(_DRAWS)
    )


def _residuals(units: Sequence[RatioUnit]) -> list[float]:
    """`part - ratio * whole` of every block, scaled to a sum of squares of 1; zeros if there is no spread."""
    middle = ratio(units) or 0.0
    residuals = [unit.part - middle * unit.whole for unit in units]
    size = math.sqrt(math.fsum(value * value for value in residuals))
    return [value / size for value in residuals] if size else residuals


def _along(residuals: Sequence[float], draw: _Draw) -> float:
    return math.fsum(r * n for r, n in zip(residuals, draw.normal, strict=True))


def block_units(pairs: Iterable[Pair]) -> dict[int, RatioUnit]:
    """By block the baseline's time (the part) and the arm's (the whole), in ns; pairs of the two in this order."""
    blocks: dict[int, list[Pair]] = {}
    for item in pairs:
        blocks.setdefault(item.block, []).append(item)
    return {block: _unit(of_block) for block, of_block in blocks.items()}


def typical_speed_up(pairs: Iterable[Pair]) -> float | None:
    """Each query's median over the blocks, queries weighed by their median time in the baseline; None without pairs.

    A burst of other work in a few answers moves it little, while it moves the ratio of the sums a lot. It has no
    interval: it serves to choose between arms, not to claim how fast one is. Pairs are of baseline and arm.
    """
    before = after = 0.0
    for of_query in _queries(pairs).values():
        weight = median(item.values[0] for item in of_query)
        before += weight
        after += weight / median(item.values[0] / item.values[1] for item in of_query)
    return before / after if after else None


def _by_query(pairs: Iterable[Pair]) -> tuple[tuple[str, float], ...]:
    units = {query_id: _unit(of_query) for query_id, of_query in sorted(_queries(pairs).items())}
    return tuple((query_id, unit.part / unit.whole) for query_id, unit in units.items())


def _queries(pairs: Iterable[Pair]) -> dict[str, list[Pair]]:
    queries: dict[str, list[Pair]] = {}
    for item in pairs:
        queries.setdefault(item.query_id, []).append(item)
    return queries


def _unit(pairs: Sequence[Pair]) -> RatioUnit:
    """Part: the baseline's time. Whole: the arm's."""
    return RatioUnit(math.fsum(item.values[0] for item in pairs), math.fsum(item.values[1] for item in pairs))
