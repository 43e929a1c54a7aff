"""Everything that is read off a source's spans before the ledger: trees, calls, queries, the plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

import msgspec

from punie.trace import semconv
from punie.trace.analysis.calls.calls import Call, Calls, find_calls
from punie.trace.analysis.calls.posts_beside import with_posts_of_retried_calls
from punie.trace.analysis.calls.usage import Reporter
from punie.trace.analysis.foreign.agents import with_conventions
from punie.trace.analysis.foreign.calls_around_tools import with_times_beside_tools
from punie.trace.analysis.foreign.codex import with_calls_of_streams
from punie.trace.analysis.foreign.servers import with_foreign_phases
from punie.trace.analysis.queries.outline import Outline
from punie.trace.analysis.queries.roots import Queries, QueryRule, find_candidates, place_spans
from punie.trace.analysis.queries.selection import Judged, select
from punie.trace.analysis.queries.server_starts import ServerStart, server_starts
from punie.trace.analysis.records import PlannedQuery
from punie.trace.analysis.trees.absolute_time import mend_absolute_times
from punie.trace.analysis.trees.clock_skew import ClockSkew, correct_clocks
from punie.trace.analysis.trees.handed_on import stretch_what_handed_on
from punie.trace.analysis.trees.tree import Forest, SpanKey, copies_in_order, grow
from punie.trace.model import Span, SpanSet

PlannedKey = tuple[str, int, int]
"""Query, repeat and server start."""


class Surroundings(msgspec.Struct, frozen=True):
    """What the other traces of a source tell of one.

    At `addresses` models answer, `apart` tell prompts without what of them was cached, `judged` is what becomes of the
    candidates; None: nobody judged them yet.
    """

    addresses: Set[str] = frozenset()
    apart: Set[Reporter] = frozenset()
    judged: Mapping[SpanKey, Judged] | None = None


@dataclass(frozen=True, slots=True)
class Traces:
    """A source's spans as trees, with their queries, and what was planned (empty if nobody knows).

    The times of `forest` are those of `source` but for the shifts of `skew` and what stands in place of times that
    can't be (`impossible`) and the longer ones of roots that `handed_on` what was to do. `starts` and `requests`
    (the model requests by their start) have each query's root. `outlines` are what other traces have to know of
    these, `judged` what became of the candidates. Where the forest `is_one_nested_tree` by itself, no span of it
    reaches out of another.
    """

    source: SpanSet
    forest: Forest
    queries: Queries
    calls: Calls
    starts: Mapping[SpanKey, ServerStart]
    planned: tuple[PlannedQuery, ...] = ()
    skew: ClockSkew = field(default_factory=ClockSkew)
    impossible: frozenset[SpanKey] = frozenset()
    handed_on: frozenset[SpanKey] = frozenset()
    requests: Mapping[SpanKey, tuple[Call, ...]] = field(default_factory=dict)
    outlines: tuple[Outline, ...] = ()
    judged: Mapping[SpanKey, Judged] = field(default_factory=dict)
    is_one_nested_tree: bool = False
    _counted: list[tuple[SpanKey, Span]] = field(init=False, repr=False, compare=False)
    _counted_calls: list[Call] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_counted", _counted(self.forest, self.queries))
        object.__setattr__(self, "_counted_calls", list(self._calls_of_counted()))

    def counted(self) -> Sequence[tuple[SpanKey, Span]]:
        """The spans of queries that are no warm-up."""
        return self._counted

    def is_warmup(self, root: SpanKey) -> bool:
        """Whether a query is one that warms up."""
        return self.forest.spans[root].attributes.get(semconv.QUERY_WARMUP) is True

    def in_time(self, keys: Sequence[SpanKey]) -> Sequence[SpanKey]:
        """Those of `keys` of which some lies in the time of their query."""
        if self.is_one_nested_tree:
            return keys
        return [key for key in keys if self.queries.is_in_time(key, self.forest)]

    def counted_calls(self) -> Sequence[Call]:
        """The model calls in queries that are no warm-up."""
        return self._counted_calls

    def _calls_of_counted(self) -> Iterator[Call]:
        for key, call in self.calls.calls.items():
            root = self.queries.of.get(key)
            if root is not None and not self.is_warmup(root):
                yield call


def _counted(forest: Forest, queries: Queries) -> list[tuple[SpanKey, Span]]:
    warmup = {
        root for root in queries.roots if forest.spans[root].attributes.get(semconv.QUERY_WARMUP) is True
    }
    if len(warmup) == len(queries.roots):
        return []
    spans, of = forest.spans, queries.of
    return [(key, spans[key]) for key in forest.order if key in of and of[key] not in warmup]


def read_traces(
    source: SpanSet,
    planned: Sequence[PlannedQuery] = (),
    *,
    now_ns: int | None = None,
    around: Surroundings | None = None,
) -> Traces:
    """Grow the trees of `source` and find its queries: with a plan only the spans that a run wrote as such.

    `now_ns` tells which times are possible; None takes all of them as they are. Without `around` the traces of `source`
    are all that there are.
    """
    around = around or Surroundings()
    spans = with_conventions(with_calls_of_streams(copies_in_order(source.spans)))
    forest = grow(with_times_beside_tools(with_foreign_phases(with_posts_of_retried_calls(spans))))
    forest, impossible = (forest, frozenset()) if now_ns is None else mend_absolute_times(forest, now_ns)
    is_nested = forest.is_one_nested_tree()
    forest, skew = (forest, ClockSkew()) if is_nested else correct_clocks(forest)
    forest, handed_on = (forest, frozenset()) if is_nested else stretch_what_handed_on(forest)
    calls = find_calls(forest, around.addresses)
    found = find_candidates(forest, calls, QueryRule.PLANNED if planned else QueryRule.ANY)
    judged = select(found.outlines) if around.judged is None else around.judged
    queries = place_spans(forest, calls, found, judged)
    starts = server_starts({root: forest.spans[root] for root in queries.roots})
    return Traces(
        source=source,
        forest=forest,
        queries=queries,
        calls=calls,
        starts=starts,
        planned=tuple(planned),
        skew=skew,
        impossible=impossible,
        handed_on=handed_on,
        requests=_requests_by_query(forest, queries, calls, is_nested=is_nested),
        outlines=found.outlines,
        judged={key: judged[key] for one in found.by_trace for key in one.keys},
        is_one_nested_tree=is_nested,
    )


def _requests_by_query(
    forest: Forest, queries: Queries, calls: Calls, *, is_nested: bool
) -> dict[SpanKey, tuple[Call, ...]]:
    requests_of: dict[SpanKey, list[Call]] = {root: [] for root in queries.roots}
    for key, call in calls.requests.items():
        if key in queries.of and (is_nested or queries.is_in_time(key, forest)):
            requests_of[queries.of[key]].append(call)
    return {
        root: tuple(sorted(own, key=lambda call: (call.span.start_ns, call.key)))
        for root, own in requests_of.items()
    }


def span_name(key: SpanKey) -> str:
    """A span in a message: trace id and span id."""
    return f"{key[0]}/{key[1]}"


def planned_keys(traces: Traces) -> frozenset[PlannedKey]:
    """Which queries of a plan were asked, warm-up left out."""
    keys = (_planned_key(traces.forest.spans[root]) for root in traces.queries.roots)
    return frozenset(key for key in keys if key is not None)


def missing_planned(planned: Iterable[PlannedQuery], asked: Set[PlannedKey]) -> tuple[PlannedQuery, ...]:
    """The planned queries that nobody asked, in the plan's order."""
    return tuple(
        query for query in planned if (query.query_id, query.repeat, query.server_start) not in asked
    )


def _planned_key(root: Span) -> PlannedKey | None:
    if root.attributes.get(semconv.QUERY_WARMUP) is True:
        return None
    return (
        semconv.text(root.attributes, semconv.QUERY_ID) or "",
        semconv.integer(root.attributes, semconv.QUERY_REPEAT) or 0,
        semconv.integer(root.attributes, semconv.QUERY_SERVER_START) or 0,
    )
