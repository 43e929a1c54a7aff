"""The critical path of every query, by phase and span name, with the self times beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.analysis.path.critical_path import path_columns
from punie.trace.analysis.path.self_time import self_times
from punie.trace.analysis.records import PathPart, QueryPath
from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.analysis.trees.windows import Windows, clip
from punie.trace.model import Phase, Span

MANY_SPANS: Final = 100_000  # from here on the form on arrays gains more than importing numpy costs


@dataclass(frozen=True, slots=True)
class QuerySpans:
    """The spans of several queries as arrays: all of a query's after its root, parents before their children."""

    spans: Sequence[PhasedSpan]
    windows: Windows


def query_paths(phased: Iterable[PhasedSpan], spans: Mapping[SpanKey, Span]) -> dict[str, QueryPath]:
    """The checked path of each query by its key. `phased` has parents first; `spans` know their names."""
    arrays = query_spans(phased)
    paths = _by_query(arrays, spans)
    for path in paths.values():
        path.check()
    return paths


def query_spans(phased: Iterable[PhasedSpan]) -> QuerySpans:
    """The spans as arrays. What has lost its parent hangs under its query's root; a query without a root is left out.

    The root waits for such a span as for any other: that its parent is missing doesn't say that nobody waited.
    What only follows another span is left out: that says so.
    """
    by_query: dict[str, list[PhasedSpan]] = {}
    for span in phased:
        if span.detached:
            continue
        by_query.setdefault(span.query_key, []).append(span)
    order: list[PhasedSpan] = []
    parents: list[int] = []
    for found in by_query.values():
        roots = [span for span in found if span.is_root]
        if len(roots) == 1:
            members = [*roots, *(span for span in found if not span.is_root)]
            parents += _parents(members, first=len(order))
            order += members
    starts, ends = [span.start_ns for span in order], [span.end_ns for span in order]
    return QuerySpans(order, clip(parents, starts, ends))


def _parents(members: Sequence[PhasedSpan], first: int) -> list[int]:
    places = {span.span_id: place for place, span in enumerate(members, first)}
    return [-1, *(places.get(span.parent_id or "", first) for span in members[1:])]


@dataclass(slots=True)
class _Sum:
    ns: int = 0
    self_ns: int = 0
    on_path: int = 0
    spans: int = 0


def _by_query(arrays: QuerySpans, spans: Mapping[SpanKey, Span]) -> dict[str, QueryPath]:
    path_ns = on_path_ns(arrays.windows)
    sums: dict[str, dict[tuple[Phase, str], _Sum]] = {}
    walls: dict[str, int] = {}
    starts, ends = arrays.windows.starts_ns, arrays.windows.ends_ns
    for index, (span, self_ns) in enumerate(zip(arrays.spans, self_times(arrays.windows), strict=True)):
        if span.is_root:
            walls[span.query_key] = ends[index] - starts[index]
        of_query = sums.setdefault(span.query_key, {})
        total = of_query.setdefault((span.phase, spans[span.trace_id, span.span_id].name), _Sum())
        total.ns += path_ns[index]
        total.self_ns += self_ns
        total.on_path += path_ns[index] > 0
        total.spans += 1
    return {key: QueryPath(walls[key], _parts(found)) for key, found in sums.items()}


def on_path_ns(windows: Windows, many: int = MANY_SPANS) -> list[int]:
    """Nanoseconds of each span on the path of its query; `many` spans and more go through numpy."""
    if len(windows.parents) >= many:
        import numpy as np

        from punie.trace.analysis.path.critical_path_arrays import path_ns

        columns = (windows.parents, windows.starts_ns, windows.ends_ns)
        found: list[int] = path_ns(*(np.array(column, dtype=np.int64) for column in columns)).tolist()
        return found
    walked = [0] * len(windows.parents)
    for index, start_ns, end_ns in zip(*path_columns(windows), strict=True):
        walked[index] += end_ns - start_ns
    return walked


def _parts(sums: Mapping[tuple[Phase, str], _Sum]) -> tuple[PathPart, ...]:
    parts = [
        PathPart(phase, name, total.ns, total.self_ns, total.on_path, total.spans)
        for (phase, name), total in sums.items()
    ]
    return tuple(sorted(parts, key=part_order))


def part_order(part: PathPart) -> tuple[int, int, str, str]:
    """The largest on the path first, then the most work; the rest only makes the order one."""
    return (-part.ns, -part.self_ns, part.phase, part.name)
