"""Is every trace a tree with the root that it should have, each span once?"""

from __future__ import annotations

from collections import Counter

from punie.trace import semconv
from punie.trace.analysis.integrity.finding import Checked, finding, names
from punie.trace.analysis.queries.traces import Traces, missing_planned
from punie.trace.units import count_text


def plan(traces: Traces) -> Checked:
    """Planned queries without a root."""
    cases = [
        f"{query.query_id}, repeat {query.repeat}, server start {query.server_start}"
        for query in missing_planned(traces)
    ]
    yield finding("missing-query", cases, figures=f"{len(cases)} of {len(traces.planned)}")


def disturbed(traces: Traces) -> Checked:
    """Queries beside which something of an earlier query may have run."""
    marked = [
        root
        for root in traces.queries.roots
        if semconv.QUERY_DISTURBED in traces.forest.spans[root].attributes
    ]
    yield finding("disturbed-query", names(marked))


def roots(traces: Traces) -> Checked:
    """Roots that are broken, several, or no query of this run."""
    spans, queries = traces.forest.spans, traces.queries
    counted = {key for key, _ in traces.counted()}
    broken = [
        key
        for key in queries.roots
        if key in counted and (key in queries.stand_ins or spans[key].end_ns < spans[key].start_ns)
    ]
    yield finding("broken-root", names(broken))
    roots_of = Counter(trace_id for (trace_id, _), span in spans.items() if span.parent_id is None)
    yield finding("several-roots", sorted(trace_id for trace_id, count in roots_of.items() if count > 1))
    asked = {trace_id for trace_id, _ in queries.roots}
    yield finding("outside-query", names(key for key in queries.outside if key[0] in asked))
    none = {*queries.without_model, *queries.parts}
    others = {trace_id for trace_id, _ in queries.outside} - asked - {trace_id for trace_id, _ in none}
    yield finding("other-trace", sorted(others))
    yield finding("trace-without-model-call", names(queries.without_model))
    yield finding("part-of-other-trace", names(queries.parts))


def links(traces: Traces) -> Checked:
    """Cycles, lost parents, spans that only follow, spans of no query."""
    forest = traces.forest
    yield finding("cycle", names(forest.cyclic))
    lost = forest.orphans - traces.queries.from_afar
    parents = sorted(f"{key[0]}/{forest.spans[key].parent_id}" for key in lost)
    yield finding("missing-parent", parents, figures=count_text(len(set(parents)), "missing parent"))
    yield finding("follows-from", names(forest.follows))
    yield finding("ambiguous-query", names(traces.queries.unplaced))


def copies(traces: Traces) -> Checked:
    """Spans that are there more than once."""
    forest = traces.forest
    yield finding("duplicate-span", names(key for key in forest.repeats if key not in forest.conflicts))
    yield finding("conflicting-duplicate", names(forest.conflicts))
    yield finding("shared-id", names(forest.shared))
