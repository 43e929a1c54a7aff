"""Is every trace a tree with the root that it should have, each span once?"""

from __future__ import annotations

from punie.trace.analysis.integrity.finding import Checked, Effect, flaw, names
from punie.trace.analysis.queries.traces import Traces, missing_planned
from punie.trace.units import count_text


def plan(traces: Traces) -> Checked:
    """Planned queries without a root."""
    missing = missing_planned(traces)
    cases = [
        f"{query.query_id}, repeat {query.repeat}, server start {query.server_start}" for query in missing
    ]
    yield flaw(
        "missing-query",
        Effect.NO_VERDICT,
        cases,
        f"of {len(traces.planned)} planned queries these have no root span: not asked, or killed on the way",
    )


def roots(traces: Traces) -> Checked:
    """Roots that are broken, several, or no query of this run."""
    spans, queries = traces.forest.spans, traces.queries
    counted = {key for key, _ in traces.counted()}
    broken = [
        key
        for key in queries.roots
        if key in counted and (key in queries.stand_ins or spans[key].end_ns < spans[key].start_ns)
    ]
    yield flaw(
        "broken-root", Effect.NO_VERDICT, names(broken), "queries whose root is missing, unended or inverted"
    )
    roots_of: dict[str, int] = {}
    for key, span in spans.items():
        if span.parent_id is None:
            roots_of[key[0]] = roots_of.get(key[0], 0) + 1
    several = sorted(trace_id for trace_id, count in roots_of.items() if count > 1)
    yield flaw("several-roots", Effect.SHOWN, several, "traces with more than one root")
    asked = {trace_id for trace_id, _ in queries.roots}
    beside = [key for key in queries.outside if key[0] in asked]
    yield flaw("outside-query", Effect.SHOWN, names(beside), "spans above or beside the query of their trace")
    others = sorted({trace_id for trace_id, _ in queries.outside if trace_id not in asked})
    yield flaw("other-trace", Effect.SHOWN, others, "traces that are no query of this run")


def links(traces: Traces) -> Checked:
    """Cycles, lost parents, spans that only follow, spans of no query."""
    forest = traces.forest
    lost = forest.orphans - traces.queries.from_afar
    yield flaw("cycle", Effect.NO_VERDICT, names(forest.cyclic), "spans that are their own ancestors")
    parents = sorted(f"{key[0]}/{forest.spans[key].parent_id}" for key in lost)
    yield flaw(
        "missing-parent",
        Effect.DOWNGRADED,
        parents,
        f"spans whose parent was never written: {count_text(len(set(parents)), 'parent')}",
    )
    unplaced = names(traces.queries.unplaced)
    yield flaw(
        "follows-from",
        Effect.SHOWN,
        names(forest.follows),
        "spans that only follow another: they count, and no answer waited for them",
    )
    yield flaw("unplaced-span", Effect.DOWNGRADED, unplaced, "spans whose query can't be told")


def copies(traces: Traces) -> Checked:
    """Spans that are there more than once."""
    forest = traces.forest
    identical = [key for key in forest.repeats if key not in forest.conflicts]
    yield flaw("duplicate-span", Effect.SHOWN, names(identical), "identical copies, dropped")
    yield flaw(
        "conflicting-duplicate",
        Effect.DOWNGRADED,
        names(forest.conflicts),
        "copies of one span that differ: the longest counts",
    )
    yield flaw(
        "shared-id",
        Effect.SHOWN,
        names(forest.shared),
        "spans of a client that share their id with the server's: told apart, the server's below the client's",
    )
