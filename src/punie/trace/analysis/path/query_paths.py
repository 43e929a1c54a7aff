"""The critical path of every query, by phase and span name, with the self times beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from punie.trace.analysis.ledger.in_turn import InTurn, QuerySpans
from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.analysis.path.critical_path import path_columns
from punie.trace.analysis.path.self_time import self_times
from punie.trace.analysis.records import PathPart, QueryPath
from punie.trace.analysis.trees.windows import Windows, clip
from punie.trace.model import Phase

Share = tuple[int, int]
"""Nanoseconds of a span on the path, and at work itself."""


def paths_of(queries: Iterable[QuerySpans]) -> dict[str, QueryPath]:
    """The checked path of each query by its key. Its spans have parents first."""
    paths: dict[str, QueryPath] = {}
    for query in queries:
        if query.in_turn is not None:
            on_path = _on_path_in_turn(query.spans, query.in_turn)
            path = _path(query.spans, zip(on_path, query.in_turn.self_ns, strict=True))
        elif (beside := _members(query.spans)) is not None:
            members, windows = beside
            shares = zip(on_path_ns(windows), self_times(windows), strict=True)
            path = _path(members, shares)
        else:
            continue
        path.check()
        paths[query.spans[0].query_key] = path
    return paths


def _on_path_in_turn(spans: Sequence[PhasedSpan], turns: InTurn) -> Sequence[int]:
    """Nanoseconds of each span on the path: its self time, and in a cluster what the walk through it finds."""
    if not turns.clusters:
        return turns.self_ns
    on_path = [*turns.self_ns]
    for cluster in turns.clusters:
        place = {old: at for at, old in enumerate(cluster.members, start=1)}
        windows = Windows(
            [-1, *[place.get(turns.parents[old], 0) for old in cluster.members]],
            [cluster.start_ns, *[spans[old].start_ns for old in cluster.members]],
            [cluster.end_ns, *[spans[old].end_ns for old in cluster.members]],
        )
        of_parent, *of_members = on_path_ns(windows)
        on_path[cluster.parent] += of_parent
        for old, ns in zip(cluster.members, of_members, strict=True):
            on_path[old] = ns
    return on_path


def _members(spans: Sequence[PhasedSpan]) -> tuple[Sequence[PhasedSpan], Windows] | None:
    """The spans of a query that has one root, the root first. What has lost its parent hangs under the root.

    The root waits for such a span as for any other: that its parent is missing doesn't say that nobody waited.
    What only follows another span is left out: that says so.
    """
    spans = [span for span in spans if not span.detached]
    roots = [span for span in spans if span.is_root]
    if len(roots) != 1:
        return None
    members = spans if spans[0].is_root else [*roots, *[one for one in spans if not one.is_root]]
    starts, ends = [span.start_ns for span in members], [span.end_ns for span in members]
    return members, clip(_parents(members), starts, ends)


def _parents(members: Sequence[PhasedSpan]) -> list[int]:
    """The places of the parents. A query may have spans of several traces, each with ids of its own."""
    if len({span.trace_id for span in members}) == 1:
        places = {span.span_id: place for place, span in enumerate(members)}
        parents = [places.get(span.parent_id or "", 0) for span in members]
    else:
        by_key = {(span.trace_id, span.span_id): place for place, span in enumerate(members)}
        parents = [by_key.get((span.trace_id, span.parent_id or ""), 0) for span in members]
    parents[0] = -1
    return parents


def _path(members: Sequence[PhasedSpan], shares: Iterable[Share]) -> QueryPath:
    sums: dict[tuple[Phase, str], list[int]] = {}
    for span, (ns, self_ns) in zip(members, shares, strict=True):
        kind = (span.phase, span.name)
        total = sums.get(kind)
        if total is None:
            sums[kind] = [ns, self_ns, 1 if ns else 0, 1]
            continue
        total[0] += ns
        total[1] += self_ns
        total[2] += ns > 0
        total[3] += 1
    root = members[0]
    return QueryPath(max(0, root.end_ns - root.start_ns), _parts(sums))


def on_path_ns(windows: Windows) -> list[int]:
    """Nanoseconds of each span on the path of its root."""
    on_path = [0] * len(windows.parents)
    for index, start_ns, end_ns in zip(*path_columns(windows), strict=True):
        on_path[index] += end_ns - start_ns
    return on_path


def _parts(sums: Mapping[tuple[Phase, str], Sequence[int]]) -> tuple[PathPart, ...]:
    """`sums` are the figures of a part, in its order."""
    parts = [PathPart(phase, name, *total) for (phase, name), total in sums.items()]
    return tuple(sorted(parts, key=part_order))


def part_order(part: PathPart) -> tuple[int, int, str, str]:
    """The largest on the path first, then the most work; the rest only makes the order one."""
    return (-part.ns, -part.self_ns, part.phase, part.name)
