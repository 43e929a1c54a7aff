"""Is every trace a tree with the root that it should have, each span once?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from punie.trace import semconv
from punie.trace.analysis.integrity.finding import Cases, Checked, IntegrityFinding, finding, names
from punie.trace.analysis.queries.traces import Traces
from punie.trace.analysis.records import PlannedQuery, QueryRecord


def missing_queries(missing: Sequence[PlannedQuery], planned: int) -> IntegrityFinding:
    """Planned queries without a root."""
    cases = [
        f"{query.query_id}, repeat {query.repeat}, server start {query.server_start}" for query in missing
    ]
    return finding("missing-query", cases, figures=f"{len(cases)} of {planned}")


def perhaps_parts(records: Sequence[QueryRecord]) -> IntegrityFinding:
    """Queries in the time of another one of their conversation, in another trace; `records` are by their start."""
    around: dict[str, QueryRecord] = {}
    cases = []
    for record in records:
        if record.conversation is None:
            continue
        outer = around.get(record.conversation)
        if outer is None or _end_ns(record) > _end_ns(outer):
            around[record.conversation] = record
        elif outer.trace_id != record.trace_id and not record.warmup:
            cases.append(record.ledger.query_key)
    return finding("perhaps-part-of-other-trace", cases)


def _end_ns(record: QueryRecord) -> int:
    return record.ledger.start_ns + record.wall_ns


def disturbed(traces: Traces) -> Checked:
    """Queries beside which something of an earlier query may have run."""
    marked = [
        root
        for root in traces.queries.roots
        if semconv.QUERY_DISTURBED in traces.forest.spans[root].attributes
    ]
    if marked:
        yield Cases("disturbed-query", names(marked))


def roots(traces: Traces) -> Checked:
    """Roots that are broken, several, or no query of this run."""
    spans, queries = traces.forest.spans, traces.queries
    broken = [
        key
        for key in queries.roots
        if (key in queries.stand_ins or spans[key].end_ns < spans[key].start_ns) and not traces.is_warmup(key)
    ]
    if broken:
        yield Cases("broken-root", names(broken))
    roots_of = (
        [] if traces.is_one_nested_tree else [s.trace_id for s in spans.values() if s.parent_id is None]
    )
    if len(roots_of) > 1:
        several = [trace_id for trace_id, count in Counter(roots_of).items() if count > 1]
        yield Cases("several-roots", sorted(several))
    if queries.outside:
        with_queries = {trace_id for trace_id, _ in queries.roots}
        yield Cases("outside-query", names(key for key in queries.outside if key[0] in with_queries))
        none = {*queries.without_model, *queries.parts}
        others = (
            {trace_id for trace_id, _ in queries.outside} - with_queries - {trace_id for trace_id, _ in none}
        )
        yield Cases("other-trace", sorted(others))
    if queries.without_model or queries.parts:
        yield Cases("trace-without-model-call", names(queries.without_model))
        yield Cases("part-of-other-trace", names(queries.parts))


def links(traces: Traces) -> Checked:
    """Cycles, lost parents, spans that only follow, spans of no query."""
    forest = traces.forest
    if not (forest.cyclic or forest.orphans or forest.follows or traces.queries.unplaced):
        return
    yield Cases("cycle", names(forest.cyclic))
    lost = forest.orphans - traces.queries.from_afar
    parents = sorted(f"{key[0]}/{forest.spans[key].parent_id}" for key in lost)
    yield Cases("missing-parent", parents)
    yield Cases("follows-from", names(forest.follows))
    yield Cases("ambiguous-query", names(traces.queries.unplaced))


def copies(traces: Traces) -> Checked:
    """Spans that are there more than once."""
    forest = traces.forest
    if not (forest.repeats or forest.shared):
        return
    yield Cases("duplicate-span", names(key for key in forest.repeats if key not in forest.conflicts))
    yield Cases("conflicting-duplicate", names(forest.conflicts))
    yield Cases("shared-id", names(forest.shared))
