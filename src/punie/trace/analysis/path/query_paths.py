"""The critical path of every query, by phase and span name, with the self times beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.analysis.path.critical_path import path_columns
from punie.trace.analysis.path.self_time import self_times
from punie.trace.analysis.records import PathPart, QueryPath
from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.analysis.trees.windows import Windows, clip
from punie.trace.model import Phase, Span


@dataclass(frozen=True, slots=True)
class QuerySpans:
    """The spans of one query as arrays: parents before their children, the root first."""

    spans: Sequence[PhasedSpan]
    windows: Windows


def query_paths(phased: Iterable[PhasedSpan], spans: Mapping[SpanKey, Span]) -> dict[str, QueryPath]:
    """The checked path of each query by its key. `phased` has parents first; `spans` know their names."""
    paths = {query.spans[0].query_key: _path(query, spans) for query in query_spans(phased)}
    for path in paths.values():
        path.check()
    return paths


def query_spans(phased: Iterable[PhasedSpan]) -> Iterator[QuerySpans]:
    """The spans of each query that has one root. What has lost its parent hangs under the root.

    The root waits for such a span as for any other: that its parent is missing doesn't say that nobody waited.
    What only follows another span is left out: that says so.
    """
    by_query: dict[str, list[PhasedSpan]] = {}
    for span in phased:
        if not span.detached:
            by_query.setdefault(span.query_key, []).append(span)
    for spans in by_query.values():
        roots = [span for span in spans if span.is_root]
        if len(roots) == 1:
            members = spans if spans[0].is_root else [*roots, *[one for one in spans if not one.is_root]]
            starts, ends = [span.start_ns for span in members], [span.end_ns for span in members]
            yield QuerySpans(members, clip(_parents(members), starts, ends))


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


def _path(query: QuerySpans, spans: Mapping[SpanKey, Span]) -> QueryPath:
    sums: dict[tuple[Phase, str], list[int]] = {}
    for span, ns, self_ns in zip(
        query.spans, on_path_ns(query.windows), self_times(query.windows), strict=True
    ):
        kind = (span.phase, spans[span.trace_id, span.span_id].name)
        total = sums.get(kind) or sums.setdefault(kind, [0, 0, 0, 0])
        total[0] += ns
        total[1] += self_ns
        total[2] += ns > 0
        total[3] += 1
    return QueryPath(query.windows.ends_ns[0] - query.windows.starts_ns[0], _parts(sums))


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
