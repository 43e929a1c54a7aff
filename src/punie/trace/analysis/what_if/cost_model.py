"""What a turn costs: seconds = overhead + uncached prompt tokens * a + output tokens * b, by least squares.

Where spans separate prefill and decode on every turn, prefill is fitted on the uncached tokens and decode on the
output tokens, and the rest is overhead: the same equation, with more said about it. Else the whole turn is fitted on
both at once. A turn without reported cached tokens says nothing about a, nor about b if both are fitted at once.
The uncertainty is the jackknife's over queries (all turns of a query leave together, since
they resemble each other), with Student's t.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from punie.trace.analysis.statistics.ratio import jackknife_folds, jackknife_half_width
from punie.trace.analysis.statistics.spread import LEVEL
from punie.trace.analysis.what_if.observed import ObservedQuery, ObservedTurn

LEAST_QUERIES: Final = 3
_LEAST_SPREAD: Final = 1e-9  # of the tokens' own size: below it a column is constant


class Costs(msgspec.Struct, frozen=True):
    """Nanoseconds of one turn's overhead, of one uncached prompt token, of one output token.

    `per_uncached` and `per_output` are None where the turns don't show them (tokens hardly vary, or aren't known).
    """

    overhead: float
    per_uncached: float | None
    per_output: float | None

    def turn_ns(self, turn: ObservedTurn) -> float:
        """The predicted duration of `turn`, see `predicts`."""
        return (
            self.overhead
            + (self.per_uncached or 0.0) * (turn.uncached_tokens or 0)
            + (self.per_output or 0.0) * turn.output_tokens
        )

    def predicts(self, turn: ObservedTurn) -> bool:
        """Whether all that the prediction needs of `turn` is known."""
        return self.per_uncached is None or turn.uncached_tokens is not None


class Coefficient(msgspec.Struct, frozen=True):
    """A fitted cost in ns with its 95 % interval; `value` is None where it isn't known, and `why` says so."""

    value: float | None
    low: float | None
    high: float | None
    why: str = ""


class CostModel(msgspec.Struct, frozen=True):
    """The fit: its coefficients in ns, from how many turns of how many queries.

    `by_phase`: whether prefill and decode were fitted separately, `unreported` how many turns don't report their cached
    tokens. `typical_error` is the median over the turns of
    |predicted - measured| / measured, each turn predicted from the other queries alone.
    """

    overhead: Coefficient
    per_uncached: Coefficient
    per_output: Coefficient
    turns: int
    queries: int
    by_phase: bool
    typical_error: float | None
    unreported: int = 0

    @property
    def costs(self) -> Costs:
        """The point estimates; a coefficient that isn't distinguishable from zero is none."""
        return Costs(self.overhead.value or 0.0, self.per_uncached.value, self.per_output.value)


def fit(queries: Sequence[ObservedQuery]) -> Costs | None:
    """The costs of the turns of `queries`; None without turns."""
    turns = [turn for query in queries for turn in query.turns]
    if not turns:
        return None
    return _by_phase(turns) if has_phases(queries) else _whole_turns(turns)


def has_phases(queries: Sequence[ObservedQuery]) -> bool:
    """Whether every turn has its decode, and a prefill wherever tokens had to be read."""
    return all(
        turn.decode_ns is not None and (turn.prefill_ns is not None or turn.uncached_tokens == 0)
        for query in queries
        for turn in query.turns
        if turn.output_tokens
    )


def cost_model(queries: Sequence[ObservedQuery]) -> CostModel | None:
    """The fit with its uncertainty; None with fewer than three different queries."""
    units = by_query(queries)
    whole = fit(queries)
    if whole is None or len(units) < LEAST_QUERIES:
        return None
    groups = [[query for unit in group for query in unit] for group in jackknife_folds(units)]
    others = [[query for group in groups if group is not left_out for query in group] for left_out in groups]
    fits = [fitted for rest in others if (fitted := fit(rest)) is not None]
    turns = [turn for query in queries for turn in query.turns]
    by_phase, reported = has_phases(queries), len(_reported(turns))
    unreported = "" if reported else "no turn reports its cached tokens"
    return CostModel(
        overhead=_coefficient(whole, fits, lambda costs: costs.overhead, "", signed=True),
        per_uncached=_coefficient(
            whole, fits, lambda costs: costs.per_uncached, "uncached prompt tokens", unreported=unreported
        ),
        per_output=_coefficient(
            whole,
            fits,
            lambda costs: costs.per_output,
            "output tokens",
            unreported="" if by_phase else unreported,
        ),
        turns=len(turns),
        queries=len(units),
        by_phase=by_phase,
        typical_error=_typical_error(groups, fits),
        unreported=len(turns) - reported,
    )


def by_query(queries: Sequence[ObservedQuery]) -> list[list[ObservedQuery]]:
    """The repeats of each query together, in the order of the query's id."""
    units: dict[str, list[ObservedQuery]] = {}
    for query in sorted(queries, key=lambda query: query.query_id):
        units.setdefault(query.query_id, []).append(query)
    return list(units.values())


def _reported(turns: Sequence[ObservedTurn]) -> list[tuple[int, ObservedTurn]]:
    """The turns of which the uncached tokens are known, with these."""
    return [(turn.uncached_tokens, turn) for turn in turns if turn.uncached_tokens is not None]


def _by_phase(turns: Sequence[ObservedTurn]) -> Costs:
    reported = _reported(turns) or [(0, turn) for turn in turns]  # all the same: no slope
    prefill = _line(
        [uncached for uncached, _ in reported], [float(turn.prefill_ns or 0) for _, turn in reported]
    )
    decode = _line([turn.output_tokens for turn in turns], [float(turn.decode_ns or 0) for turn in turns])
    rest = statistics.fmean(
        [turn.duration_ns - (turn.prefill_ns or 0) - (turn.decode_ns or 0) for turn in turns]
    )
    return Costs(prefill[0] + decode[0] + rest, prefill[1], decode[1])


def _line(tokens: Sequence[int], times: Sequence[float]) -> tuple[float, float | None]:
    """Intercept and slope; no slope where `tokens` are all the same."""
    if len(tokens) < 2 or min(tokens) == max(tokens):
        return statistics.fmean(times), None
    slope, intercept = statistics.linear_regression(tokens, times)
    return intercept, slope


def _whole_turns(turns: Sequence[ObservedTurn]) -> Costs:
    """Both slopes at once, from the normal equations of the centred columns, of the turns that report both."""
    reported = _reported(turns)
    if not reported:
        return Costs(statistics.fmean(turn.duration_ns for turn in turns), None, None)
    uncached = [float(tokens) for tokens, _ in reported]
    output = [float(turn.output_tokens) for _, turn in reported]
    times = [float(turn.duration_ns) for _, turn in reported]
    means = [statistics.fmean(column) for column in (uncached, output, times)]
    u, o, t = (
        [value - mean for value in column]
        for column, mean in zip((uncached, output, times), means, strict=True)
    )
    uu, oo, uo, ut, ot = (_products(*pair) for pair in ((u, u), (o, o), (u, o), (u, t), (o, t)))
    determinant = uu * oo - uo * uo
    if determinant > _LEAST_SPREAD * uu * oo > 0:
        a, b = (ut * oo - ot * uo) / determinant, (ot * uu - ut * uo) / determinant
        return Costs(means[2] - a * means[0] - b * means[1], a, b)
    if uu > 0 and oo > 0:  # they rise and fall together: the two costs can't be separated
        return Costs(means[2], None, None)
    if oo > 0:
        return Costs(means[2] - ot / oo * means[1], None, ot / oo)
    if uu > 0:
        return Costs(means[2] - ut / uu * means[0], ut / uu, None)
    return Costs(means[2], None, None)


def _products(left: Sequence[float], right: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(left, right, strict=True))


def _coefficient(
    whole: Costs,
    fits: Sequence[Costs],
    pick: Callable[[Costs], float | None],
    tokens: str,
    *,
    unreported: str = "",
    signed: bool = False,
) -> Coefficient:
    value = pick(whole)
    left_out = [one for costs in fits if (one := pick(costs)) is not None]
    if value is None or len(left_out) < len(fits):
        return Coefficient(None, None, None, unreported or f"the {tokens} of the turns vary too little")
    half = jackknife_half_width(left_out, level=LEVEL)
    low, high = value - half, value + half
    if not signed and low <= 0:
        return Coefficient(None, low, high, f"the cost of {tokens} can't be distinguished from zero")
    if value < 0:  # only the overhead: a line through few turns may leave nothing for it
        return Coefficient(None, low, high, "the fit puts it below zero")
    return Coefficient(value, low, high)


def _typical_error(groups: Sequence[Sequence[ObservedQuery]], fits: Sequence[Costs]) -> float | None:
    if len(fits) != len(groups):
        return None
    errors = [
        abs(costs.turn_ns(turn) - turn.duration_ns) / turn.duration_ns
        for group, costs in zip(groups, fits, strict=True)
        for query in group
        for turn in query.turns
        if turn.duration_ns > 0 and costs.predicts(turn)
    ]
    return statistics.median(errors) if errors else None
