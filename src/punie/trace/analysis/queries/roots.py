"""Which query a span belongs to, and which traces of a source hold none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from enum import Enum, auto
from itertools import pairwise
from typing import Final

import msgspec

from punie.trace.analysis.calls.calls import Calls
from punie.trace.analysis.queries.candidates import CandidateOrigin, Candidates, Trace
from punie.trace.analysis.queries.outline import Outline, outline
from punie.trace.analysis.queries.placement import place_the_rest
from punie.trace.analysis.queries.selection import Fate, JudgedCandidate
from punie.trace.analysis.queries.windows import overlap
from punie.trace.analysis.trees.shapes import Shape, some
from punie.trace.analysis.trees.tree import Forest, SpanKey

_TRACE_ID: Final = "trace_id"


class QueryRule(Enum):
    """What counts as a query.

    `PLANNED`: only the spans that a run of ours wrote as queries. What a killed run left of an unfinished query
    is none, unless a link makes it a part of one. `ANY`: in traces without such a span also what `candidates` finds.
    """

    PLANNED = auto()
    ANY = auto()


class Queries(msgspec.Struct, frozen=True):
    """The query roots, in the order of time, and whose each span is.

    `of` maps a span to its query's root. `outside` are spans above or beside the queries of their trace,
    `unplaced` those whose missing parent leaves it open to which query they belong. `stand_ins` are roots that
    are none: the earliest span of a trace whose real root is missing. `from_afar` are spans whose parent is their
    client's, which whoever served it never has. `without_model` and `parts` are candidates that are no queries, by the
    rules of `selection`.
    """

    roots: tuple[SpanKey, ...]
    of: Mapping[SpanKey, SpanKey]
    outside: tuple[SpanKey, ...] = ()
    unplaced: tuple[SpanKey, ...] = ()
    stand_ins: Set[SpanKey] = frozenset()
    from_afar: Set[SpanKey] = frozenset()
    without_model: tuple[SpanKey, ...] = ()
    parts: tuple[SpanKey, ...] = ()

    def is_in_time(self, key: SpanKey, forest: Forest) -> bool:
        """Whether some of a query's span lies in its time: nobody waited for what began after its end."""
        root, span = self.of[key], forest.spans[key]
        query = forest.spans[root]
        if query.duration_ns <= 0 or root in self.stand_ins:
            return True
        return span.start_ns < query.end_ns and query.start_ns <= max(span.start_ns, span.end_ns)

    def check(self, forest: Forest) -> None:
        """No second of a trace is in two queries. Raises AssertionError: that is a bug."""
        by_start = sorted(
            self.roots, key=lambda key: (key[0], forest.spans[key].start_ns, forest.spans[key].end_ns)
        )
        for one, other in pairwise(by_start):
            if one[0] == other[0] and overlap(forest.spans[one], forest.spans[other]):
                raise AssertionError(f"{query_key(one)} and {query_key(other)} are queries at the same time")


def query_key(root: SpanKey) -> str:
    """The name of a query in rows and ledgers: trace id and root span id."""
    return f"{root[0]}/{root[1]}"


class CandidateSet(msgspec.Struct, frozen=True):
    """The candidates of some traces, and what other traces have to know of each."""

    by_trace: tuple[Candidates, ...]
    outlines: tuple[Outline, ...]


def find_candidates(forest: Forest, calls: Calls, rule: QueryRule = QueryRule.ANY) -> CandidateSet:
    """What may be a query in each trace of `forest`."""
    with_calls = _keys_with_calls(forest, calls)
    traces = [Trace(forest, calls, keys, with_calls) for keys in _by_trace(forest)]
    candidates = [
        trace.planned_queries() if rule is QueryRule.PLANNED else trace.candidates() for trace in traces
    ]
    are_linked = some(_names_a_trace, forest.shapes) or any(span.linked for span in forest.span_at)
    linked = [_linked(forest, trace.keys) if are_linked else () for trace in traces]
    return CandidateSet(
        tuple(candidates),
        tuple(
            outline(one, forest, calls, with_calls, others)
            for one, others in zip(candidates, linked, strict=True)
        ),
    )


def place_spans(
    forest: Forest, calls: Calls, candidates: CandidateSet, judged: Mapping[SpanKey, JudgedCandidate]
) -> Queries:
    """Give every span to the query that it belongs to, or say why not; `judged` has each candidate."""
    source = {key: one.source for one in candidates.by_trace for key in one.keys}
    queries = {key for key in source if judged[key].fate is Fate.QUERY}
    roots: list[SpanKey] = []
    owners: list[SpanKey | None] = []
    for key, parent in zip(forest.order, forest.parent_at, strict=True):
        owner = None if parent < 0 else owners[parent]
        if key in queries:
            owner = key
            roots.append(key)
        elif key in source:
            owner = judged[key].part_of or owner
        owners.append(owner)
    of = {key: owner for key, owner in zip(forest.order, owners, strict=True) if owner is not None}
    parts = tuple(key for key in source if judged[key].fate is Fate.PART)
    without_model = tuple(key for key in source if judged[key].fate is Fate.WITHOUT_MODEL)
    outside, unplaced = place_the_rest(forest, calls.role, of, roots, {*without_model, *parts})
    placed = Queries(
        roots=tuple(roots),
        of=of,
        outside=outside,
        unplaced=unplaced,
        stand_ins={key for key in queries if source[key] is CandidateOrigin.STAND_IN},
        from_afar={key for key in source if source[key] is CandidateOrigin.FROM_AFAR},
        without_model=without_model,
        parts=parts,
    )
    placed.check(forest)
    return placed


def _keys_with_calls(forest: Forest, calls: Calls) -> Set[SpanKey]:
    """The spans at or below which a model was asked."""
    with_calls: set[SpanKey] = set(calls.calls)
    for call in calls.calls:
        for above in forest.above(call):
            if above in with_calls:  # it, or the call that it is, has what is above it
                break
            with_calls.add(above)
    return with_calls


def _linked(forest: Forest, keys: Iterable[SpanKey]) -> tuple[str, ...]:
    """The traces that some span of a trace is linked to, or that a top of its names in an attribute (Dynamo)."""
    found = {trace_id: None for key in keys for trace_id in forest.spans[key].linked}
    for key in keys:
        named = forest.spans[key].attributes.get(_TRACE_ID) if forest.parent[key] is None else None
        if isinstance(named, str) and named != key[0]:
            found[named] = None
    return tuple(found)


def _names_a_trace(shape: Shape) -> bool:
    return _TRACE_ID in shape.names


def _by_trace(forest: Forest) -> Iterable[Sequence[SpanKey]]:
    if len({trace_id for trace_id, _ in forest.order}) == 1:
        return [forest.order]
    traces: dict[str, list[SpanKey]] = {}
    for key in forest.order:
        traces.setdefault(key[0], []).append(key)
    return traces.values()
