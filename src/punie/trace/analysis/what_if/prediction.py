"""Seconds saved a query by each change, ranked, and the changes that reach a target."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from punie.trace.analysis.cache.bill import CacheBill
from punie.trace.analysis.queries.requests import ModelRequest
from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.ratio import jackknife_folds, jackknife_half_width
from punie.trace.analysis.statistics.spread import LEVEL, UnitKind
from punie.trace.analysis.what_if.cost_model import (
    CostModel,
    Costs,
    by_query,
    cost_model,
    fit,
)
from punie.trace.analysis.what_if.improvements import (
    IMPROVEMENTS,
    LESS_OUTPUT,
    Scenario,
    combinations,
    combined,
    saved_ns,
    unknown,
)
from punie.trace.analysis.what_if.observed import ObservedQuery, Window, observe


class Saving(msgspec.Struct, frozen=True):
    """What one change saves: mean ns a query, with its 95 % interval; None where it can't be predicted (`why`).

    `at_most_ns` is more than `saved_ns` where it isn't certain how many tokens were read again. The interval is None
    where a single unit carries the estimate, so that it can't be left out.
    """

    slug: str
    says: str
    saved_ns: int | None
    low_ns: int | None
    high_ns: int | None
    at_most_ns: int | None
    share: float | None
    over: UnitKind | None
    why: str = ""

    @property
    def lever(self) -> str:
        """The lever of which this is predicted; "" for none."""
        return next((change.lever for change in IMPROVEMENTS if change.slug == self.slug), "")


class Reach(msgspec.Struct, frozen=True):
    """How to come under the target.

    `now_ns` is the slowest query's median, `changes` the fewest that bring it under (empty if none is needed
    or none does), `then_ns` what it is with them, or with everything if nothing suffices.

    `sure` is whether it holds at the unfavourable end of the savings' intervals too. `unpredicted_ns` is the
    median of the slowest query that misses the target and that no prediction rests on: then nothing is said
    to reach it.
    """

    target_ns: int
    now_ns: int
    changes: tuple[str, ...]
    then_ns: int
    reached: bool
    sure: bool
    unpredicted_ns: int | None = None


class WhatIf(msgspec.Struct, frozen=True):
    """The cost of a turn, what each change would save (the most first), what reaches the target.

    `model` is None where there is too little to fit; `left_out` counts queries that no prediction rests on.
    """

    model: CostModel | None
    queries: int
    savings: tuple[Saving, ...]
    reach: Reach | None
    left_out: Mapping[str, int]
    why: str = ""

    def share_of(self, slug: str) -> float | None:
        """The share of the wall time that a change would save; None where it isn't known."""
        return next((saving.share for saving in self.savings if saving.slug == slug), None)

    @property
    def half_output_share(self) -> float | None:
        """What half the output tokens would save: the saving is in proportion to the tokens."""
        share = self.share_of(LESS_OUTPUT)
        return None if share is None else share * 1.25


def what_if(
    records: Sequence[QueryRecord],
    requests: Sequence[ModelRequest],
    tools: Mapping[str, Sequence[Window]],
    bill: CacheBill,
    *,
    target_ns: int,
) -> WhatIf | None:
    """Predict from the queries that succeeded, `records`; None if none of them asked a model."""
    observed = observe(records, requests, tools, bill)
    if not observed.queries and set(observed.left_out) <= {"no request to a model"}:
        return None
    model = cost_model(observed.queries)
    if model is None:
        why = "a prediction needs three different queries that succeeded, with their tokens"
        return WhatIf(None, len(observed.queries), (), None, observed.left_out, why)
    savings = savings_of(observed.queries, model)
    return WhatIf(
        model=model,
        queries=len(observed.queries),
        savings=tuple(sorted(savings, key=lambda saving: -(saving.saved_ns or 0))),
        reach=_reach_of_all(records, observed.queries, model, savings, target_ns),
        left_out=observed.left_out,
    )


def savings_of(queries: Sequence[ObservedQuery], model: CostModel) -> list[Saving]:
    """What each change would save `queries`, whose costs are `model`, in the order of `IMPROVEMENTS`."""
    folds = _folds(queries)
    return [_saving(change, queries, model, folds) for change in IMPROVEMENTS]


class _Fold(msgspec.Struct, frozen=True):
    """What is left where some queries, or some server starts, are left out, with the costs fitted to it."""

    queries: Sequence[ObservedQuery]
    units: Sequence[Sequence[ObservedQuery]]
    costs: Costs | None


_Folds = Mapping[UnitKind, Sequence[_Fold]]


def _folds(queries: Sequence[ObservedQuery]) -> _Folds:
    """Those of two jackknives: over queries and, if there are several, over server starts."""
    folds = {UnitKind.QUERY: _left_out(queries, lambda query: query.query_id)}
    if len({query.server_start for query in queries}) > 1:
        folds[UnitKind.SERVER_START] = _left_out(queries, lambda query: str(query.server_start))
    return folds


def _left_out(queries: Sequence[ObservedQuery], unit: Callable[[ObservedQuery], str]) -> list[_Fold]:
    folds = []
    for left_out in map(frozenset, jackknife_folds(sorted({unit(query) for query in queries}))):
        rest = [query for query in queries if unit(query) not in left_out]
        folds.append(_Fold(rest, by_query(rest), fit(rest)))
    return folds


def _saving(change: Scenario, queries: Sequence[ObservedQuery], model: CostModel, folds: _Folds) -> Saving:
    why = unknown((change,), queries, model.costs)
    if why:
        return Saving(change.slug, change.says, None, None, None, None, None, None, why)
    units = by_query(queries)
    saved = _mean_saved(units, change, model.costs)
    most = _mean_saved(units, change, model.costs, most=True)
    half, over = _half_width(folds, change)
    wall = statistics.fmean([statistics.fmean([q.wall_ns for q in unit]) for unit in units])
    certain = math.isfinite(half)
    return Saving(
        slug=change.slug,
        says=change.says,
        saved_ns=round(saved),
        low_ns=round(max(0.0, saved - half)) if certain else None,
        high_ns=round(max(saved, most) + half) if certain else None,
        at_most_ns=round(max(saved, most)),
        share=saved / wall if wall else None,
        over=over,
    )


def _mean_saved(
    units: Sequence[Sequence[ObservedQuery]], change: Scenario, costs: Costs, *, most: bool = False
) -> float:
    """Mean over the queries, each (a unit) with the mean of its repeats."""
    together = combined((change,))
    saved = [[saved_ns(query, together, costs, most_read_again=most) for query in unit] for unit in units]
    return statistics.fmean([one[0] if len(one) == 1 else statistics.fmean(one) for one in saved])


def _half_width(folds: _Folds, change: Scenario) -> tuple[float, UnitKind]:
    """Of two jackknives together, over queries and over server starts, and which of them makes it wide.

    The costs are fitted anew in each.
    """
    widths = {kind: _jackknife(of_kind, change) for kind, of_kind in folds.items()}
    return math.hypot(*widths.values()), max(widths, key=lambda kind: widths[kind])


def _jackknife(folds: Sequence[_Fold], change: Scenario) -> float:
    estimates = []
    for fold in folds:
        if fold.costs is None or unknown((change,), fold.queries, fold.costs):
            return math.inf
        estimates.append(_mean_saved(fold.units, change, fold.costs))
    return jackknife_half_width(estimates, level=LEVEL)


def _reach_of_all(
    records: Sequence[QueryRecord],
    queries: Sequence[ObservedQuery],
    model: CostModel,
    savings: Sequence[Saving],
    target_ns: int,
) -> Reach:
    """As `_reach`, but nothing reaches the target if a query that was left out misses it."""
    reach = _reach(queries, model, savings, target_ns)
    predicted = {query.query_id for query in queries}
    others: dict[str, list[int]] = {}
    for record in [record for record in records if record.model_requests > 1] or records:
        if record.query_id not in predicted:
            others.setdefault(record.query_id, []).append(record.wall_ns)
    slowest = max((round(statistics.median(walls)) for walls in others.values()), default=0)
    if slowest < target_ns or not reach.reached:
        return reach
    return replace(reach, reached=False, sure=False, unpredicted_ns=slowest)


def _reach(
    queries: Sequence[ObservedQuery], model: CostModel, savings: Sequence[Saving], target_ns: int
) -> Reach:
    """The fewest changes that bring the slowest query under the target; of those the ones that change least."""
    judged = [query for query in queries if len(query.turns) > 1] or list(queries)
    now = _slowest(judged, (), model.costs)
    if now < target_ns:
        return Reach(target_ns, round(now), (), round(now), reached=True, sure=True)
    known = {saving.slug: saving for saving in savings if saving.saved_ns}
    possible = [changes for changes in combinations() if all(change.slug in known for change in changes)]
    if not possible:
        return Reach(target_ns, round(now), (), round(now), reached=False, sure=False)
    least = sorted(
        possible, key=lambda changes: (len(changes), sum(known[c.slug].saved_ns or 0 for c in changes))
    )
    for changes in least:
        then = _slowest(judged, changes, model.costs)
        if then < target_ns:
            worst = _slowest(judged, changes, model.costs, certain=_certain(changes, known))
            slugs = tuple(change.slug for change in changes)
            return Reach(target_ns, round(now), slugs, round(then), reached=True, sure=worst < target_ns)
    then = min(_slowest(judged, changes, model.costs) for changes in possible)
    return Reach(target_ns, round(now), (), round(then), reached=False, sure=False)


def _certain(changes: Sequence[Scenario], savings: Mapping[str, Saving]) -> float:
    """The part of the changes' saving that is left at the low ends of their intervals."""
    saved = sum(savings[change.slug].saved_ns or 0 for change in changes)
    return sum(savings[change.slug].low_ns or 0 for change in changes) / saved if saved else 0.0


def _slowest(
    queries: Sequence[ObservedQuery], changes: tuple[Scenario, ...], costs: Costs, *, certain: float = 1.0
) -> float:
    """The slowest query, by the median of its repeats."""
    together = combined(changes)
    return max(
        statistics.median([query.wall_ns - certain * saved_ns(query, together, costs) for query in unit])
        for unit in by_query(queries)
    )
