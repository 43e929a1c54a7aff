"""Everything that is read off a source's spans before the ledger: trees, calls, queries, the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import zip_longest
from typing import Final

import msgspec

from punie.trace import semconv
from punie.trace.analysis.calls.calls import Call, Calls, find_calls
from punie.trace.analysis.calls.posts_beside import may_be_a_request, with_posts_of_retried_calls
from punie.trace.analysis.calls.usage import Reporter
from punie.trace.analysis.foreign.agents import is_conventional, with_conventions
from punie.trace.analysis.foreign.calls_around_tools import may_be_callers_work, with_times_beside_tools
from punie.trace.analysis.foreign.codex import may_be_a_stream, with_calls_of_streams
from punie.trace.analysis.foreign.servers import may_report_phases, with_foreign_phases
from punie.trace.analysis.queries.outline import Outline
from punie.trace.analysis.queries.roots import Queries, QueryRule, find_candidates, place_spans
from punie.trace.analysis.queries.selection import JudgedCandidate, select
from punie.trace.analysis.queries.server_starts import ServerStart, server_starts
from punie.trace.analysis.records import PlannedQuery
from punie.trace.analysis.trees.absolute_time import can_be, mend_absolute_times
from punie.trace.analysis.trees.clock_skew import ClockSkew, correct_clocks
from punie.trace.analysis.trees.handed_on import stretch_what_handed_on
from punie.trace.analysis.trees.shapes import Shape, Shapes, shape_of, some
from punie.trace.analysis.trees.tree import Forest, SpanKey, copies_in_order, grow
from punie.trace.model import Span, SpanSet

PlannedKey = tuple[str, int, int]
"""Query, repeat and server start."""


class Surroundings(msgspec.Struct, frozen=True):
    """What the other traces of a source say about one.

    At `addresses` models answer, `apart` report prompts without what of them was cached, `judged` are the fates of the
    candidates; None: nobody judged them yet.
    """

    addresses: Set[str] = frozenset()
    apart: Set[Reporter] = frozenset()
    judged: Mapping[SpanKey, JudgedCandidate] | None = None


@dataclass(frozen=True)
class Traces:
    """A source's spans as trees, with their queries, and what was planned (empty if nobody knows).

    The times of `forest` are those of `source` but for the shifts of `skew` and what stands in place of times that
    can't be (`impossible`) and the longer ones of roots that `handed_on` what was to do. `starts` and `requests`
    (the model requests by their start) have each query's root. `outlines` are what other traces have to know of
    these, `judged` the fates of candidates. Where the forest `is_one_nested_tree` by itself, no span of it
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
    judged: Mapping[SpanKey, JudgedCandidate] = field(default_factory=dict)
    is_one_nested_tree: bool = False

    @cached_property
    def counted(self) -> Sequence[tuple[SpanKey, Span]]:
        """The spans of queries that are no warm-up."""
        return _counted(self.forest, self.queries)

    def is_warmup(self, root: SpanKey) -> bool:
        """Whether a query is one that warms up."""
        return self.forest.spans[root].attributes.get(semconv.QUERY_WARMUP) is True

    def in_time(self, keys: Sequence[SpanKey]) -> Sequence[SpanKey]:
        """Those of `keys` of which some lies in the time of their query."""
        if self.is_one_nested_tree:
            return keys
        return [key for key in keys if self.queries.is_in_time(key, self.forest)]

    @cached_property
    def counted_calls(self) -> Sequence[Call]:
        """The model calls in queries that are no warm-up."""
        of = self.queries.of
        return [
            call
            for key, call in self.calls.calls.items()
            if (root := of.get(key)) is not None and not self.is_warmup(root)
        ]


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

    `now_ns` decides which times are possible; None takes all as they are. Without `around` the traces of `source`
    are all that there are.
    """
    around = around or Surroundings()
    forest = grow(*_in_words_of_ours(source.spans))
    is_nested = forest.is_one_nested_tree()
    impossible: frozenset[SpanKey] = frozenset()
    if now_ns is not None and not (is_nested and can_be(forest.span_at[0], now_ns)):
        forest, impossible = mend_absolute_times(forest, now_ns)
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


_STEPS: Final = (
    (may_be_a_stream, with_calls_of_streams),
    (lambda shape: not is_conventional(shape), with_conventions),
    (may_be_a_request, with_posts_of_retried_calls),
    (may_report_phases, with_foreign_phases),
    (may_be_callers_work, with_times_beside_tools),
)
"""What is done to spans before they are trees, each step where some shape asks for it."""


def _in_words_of_ours(spans: Sequence[Span]) -> tuple[Sequence[Span], Sequence[Shape]]:
    """The spans after all steps, and their shapes."""
    shapes = [*map(shape_of, spans)]
    needed = _needed_steps(frozenset(shapes))
    if not needed:
        return spans, shapes
    ordered = copies_in_order(spans)
    if ordered is not spans:
        spans, shapes = ordered, [*map(shape_of, ordered)]
    for number, (_, step) in enumerate(_STEPS):
        if number in needed:
            before, spans = spans, step(spans)
            known = zip_longest(before[: len(spans)], shapes, spans)
            shapes = [shape if old is new else shape_of(new) for old, shape, new in known]
            needed = _needed_steps(frozenset(shapes))
    return spans, shapes


@lru_cache(maxsize=4096)
def _needed_steps(shapes: Shapes) -> frozenset[int]:
    """The steps that some shape of a trace asks for, by their places."""
    return frozenset(number for number, (is_needed, _) in enumerate(_STEPS) if some(is_needed, shapes))


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


def missing_planned(planned: Iterable[PlannedQuery], measured: Set[PlannedKey]) -> tuple[PlannedQuery, ...]:
    """The planned queries that nobody asked, in the plan's order."""
    return tuple(
        query for query in planned if (query.query_id, query.repeat, query.server_start) not in measured
    )


def _planned_key(root: Span) -> PlannedKey | None:
    if root.attributes.get(semconv.QUERY_WARMUP) is True:
        return None
    return (
        semconv.text(root.attributes, semconv.QUERY_ID) or "",
        semconv.integer(root.attributes, semconv.QUERY_REPEAT) or 0,
        semconv.integer(root.attributes, semconv.QUERY_SERVER_START) or 0,
    )
