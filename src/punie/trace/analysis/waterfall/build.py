"""Waterfalls of the queries that somebody wants to see, from the spans of their source."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from punie.trace import semconv
from punie.trace.analysis.calls.calls import Calls
from punie.trace.analysis.calls.usage import (
    TokenCounts,
    excludes_cached,
    first_chunk_ns,
    reporter_of,
    token_counts,
)
from punie.trace.analysis.ledger.ledger import Stretch, stretches
from punie.trace.analysis.ledger.phases import PhasedSpan, phased_spans
from punie.trace.analysis.path.critical_path import PathSection, critical_path
from punie.trace.analysis.path.self_time import self_times
from punie.trace.analysis.queries.roots import query_key
from punie.trace.analysis.queries.traces import Traces, read_traces
from punie.trace.analysis.records import PlannedQuery, QueryRecord
from punie.trace.analysis.trees.roles import has_failed
from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.analysis.trees.windows import clip
from punie.trace.analysis.waterfall.lanes import lanes
from punie.trace.analysis.waterfall.model import Row, RowRole, Track, Waterfall, Window
from punie.trace.analysis.waterfall.tracks import ROLES, place
from punie.trace.model import Phase, Span, SpanSet


def read_waterfalls(
    source: SpanSet,
    records: Collection[QueryRecord],
    planned: Sequence[PlannedQuery] = (),
    *,
    now_ns: int | None = None,
) -> Iterator[Waterfall]:
    """The checked waterfalls of `records`, in their order.

    `source`, `planned` and `now_ns` are what `read_queries` read the records from. All traces are read once more: the
    clocks of one say about the others', and a query may have spans of several.
    """
    traces = read_traces(source, planned, now_ns=now_ns)
    members: dict[str, list[PhasedSpan]] = {record.ledger.query_key: [] for record in records}
    for span in phased_spans(traces.forest, traces.queries, traces.calls):
        if span.query_key in members:
            members[span.query_key].append(span)
    roots = {query_key(root): root for root in traces.queries.roots}
    left_out = _left_out(traces, members)
    apart = {reporter_of(call) for call in traces.calls.requests.values() if excludes_cached(call)}
    for record in records:
        key = record.ledger.query_key
        requests = {
            call.key: _Request(token_counts(call, cache_arm=record.cache, apart=apart), first_chunk_ns(call))
            for call in traces.requests[roots[key]]
        }
        waterfall = _waterfall(record, traces, requests, members[key], left_out[key])
        waterfall.check()
        yield waterfall


def _left_out(traces: Traces, keys: Iterable[str]) -> dict[str, int]:
    left_out = dict.fromkeys(keys, 0)
    for key in traces.calls.superseded:
        root = traces.queries.of.get(key)
        if root is not None and query_key(root) in left_out:
            left_out[query_key(root)] += 1
    return left_out


@dataclass(frozen=True, slots=True)
class _Request:
    """What a model request counts."""

    tokens: TokenCounts
    first_chunk_ns: int | None


def _waterfall(
    record: QueryRecord,
    traces: Traces,
    requests: Mapping[SpanKey, _Request],
    members: Sequence[PhasedSpan],
    left_out: int,
) -> Waterfall:
    ordered = in_rows(members)
    tracks, rows = _rows(record, traces, requests, ordered)
    ledger = tuple(_relative(record, at) for at in stretches(members))
    return Waterfall(
        record=record,
        tracks=tracks,
        rows=rows,
        path=tuple(_path(record, ordered)),
        stretches=ledger,
        gaps=tuple(find_gaps(rows, ledger)),
        left_out=left_out,
    )


def _relative(record: QueryRecord, at: Stretch) -> Stretch:
    began_ns = record.ledger.start_ns
    return at._replace(start_ns=at.start_ns - began_ns, end_ns=at.end_ns - began_ns)


def _path(record: QueryRecord, ordered: RowOrder) -> Iterator[PathSection]:
    """Nobody waits for what is detached: there it has no length."""
    ends = [span.start_ns if span.detached else span.end_ns for span in ordered.spans]
    began_ns = record.ledger.start_ns
    for at in critical_path(clip(ordered.parents, [span.start_ns for span in ordered.spans], ends)):
        yield PathSection(at.span, at.start_ns - began_ns, at.end_ns - began_ns)


def _rows(
    record: QueryRecord, traces: Traces, requests: Mapping[SpanKey, _Request], ordered: RowOrder
) -> tuple[tuple[Track, ...], tuple[Row, ...]]:
    spans = [traces.forest.spans[one.trace_id, one.span_id] for one in ordered.spans]
    roles = [_role(traces.calls, one) for one in ordered.spans]
    windows = [_window(record, one) for one in spans]
    placed = place(spans, ordered.parents, roles)
    lane_of = lanes(windows, ordered.parents, placed.of_row)
    inside = clip(ordered.parents, *zip(*windows, strict=True))
    rows = tuple(
        Row(
            trace_id=one.trace_id,
            span_id=one.span_id,
            name=span.name,
            role=role,
            phase=one.phase,
            provenance=one.provenance,
            parent=parent,
            depth=depth,
            start_ns=window[0],
            end_ns=window[1],
            self_ns=self_ns,
            track=track,
            lane=lane,
            is_cut=window != (span.start_ns - record.ledger.start_ns, span.end_ns - record.ledger.start_ns),
            is_detached=one.detached,
            error=record.error if one.is_root else _error(span),
            **_counts(span, role, requests.get((one.trace_id, one.span_id))),
        )
        for one, span, role, parent, depth, window, self_ns, track, lane in zip(
            ordered.spans,
            spans,
            roles,
            ordered.parents,
            ordered.depths,
            windows,
            self_times(inside),
            placed.of_row,
            lane_of,
            strict=True,
        )
    )
    return placed.with_lanes(lane_of), rows


def _window(record: QueryRecord, span: Span) -> tuple[int, int]:
    """What of the span lies in the query's window; an instant at its edge if nothing does."""
    wall_ns, began_ns = record.wall_ns, record.ledger.start_ns
    start_ns = min(max(0, span.start_ns - began_ns), wall_ns)
    return start_ns, max(start_ns, min(span.end_ns - began_ns, wall_ns))


def _role(calls: Calls, span: PhasedSpan) -> RowRole:
    key = (span.trace_id, span.span_id)
    role = ROLES[calls.role[key]]
    if role is not RowRole.OTHER:
        return role
    return RowRole.QUERY if span.is_root else RowRole.PHASE if key in calls.phases else role


def _error(span: Span) -> str | None:
    """In the span's words, else its status of HTTP."""
    if not has_failed(span):
        return None
    kind = semconv.text(span.attributes, semconv.ERROR_TYPE)
    status = semconv.integer(span.attributes, semconv.HTTP_STATUS)
    text = span.status_message or kind or ("" if status is None else f"HTTP {status}")
    return text or "error"


def _counts(span: Span, role: RowRole, request: _Request | None) -> _Counts:
    """What else a picture says of a row."""
    attributes = span.attributes
    counts = _Counts()
    if role in (RowRole.TOOL, RowRole.PHASE):
        counts["tool"] = semconv.text(attributes, semconv.TOOL_NAME)
    if role in (RowRole.MODEL_CALL, RowRole.SERVER):
        counts["model"] = semconv.text(attributes, (*semconv.RESPONSE_MODEL, *semconv.REQUEST_MODEL))
    if request is not None:
        counts["tokens"], counts["first_chunk_ns"] = request.tokens, request.first_chunk_ns
    elif role in (RowRole.SERVER, RowRole.PHASE):
        counts["tokens"] = _token_counts(span)
        counts["memory_bytes"] = semconv.integer(attributes, semconv.SERVER_FOOTPRINT)
    return counts


class _Counts(TypedDict, total=False):
    """Fields of a row that few rows have."""

    tokens: TokenCounts | None
    tool: str | None
    model: str | None
    first_chunk_ns: int | None
    memory_bytes: int | None


def _token_counts(span: Span) -> TokenCounts | None:
    names = (semconv.INPUT_TOKENS, semconv.CACHED_TOKENS, semconv.OUTPUT_TOKENS)
    counts = TokenCounts(*(semconv.integer(span.attributes, name) for name in names))
    return None if counts == TokenCounts(None, None, None) else counts


def find_gaps(rows: Sequence[Row], ledger: Iterable[Stretch]) -> Iterator[Window]:
    """In the order of time."""
    with_rows_below = {row.parent for row in rows} | {0}
    leaves = sorted(
        (row.start_ns, row.end_ns) for index, row in enumerate(rows) if index not in with_rows_below
    )
    at = 0
    for stretch in ledger:
        reached_ns = stretch.start_ns
        while at < len(leaves) and leaves[at][0] < stretch.end_ns:
            if reached_ns < leaves[at][0] and stretch.phase is Phase.FRAMEWORK:
                yield Window(reached_ns, leaves[at][0])
            reached_ns = max(reached_ns, leaves[at][1])
            at += 1
        if reached_ns < stretch.end_ns and stretch.phase is Phase.FRAMEWORK:
            yield Window(reached_ns, stretch.end_ns)


@dataclass(frozen=True, slots=True)
class RowOrder:
    """The query's root first; right below each span what hangs below it, by start. `parents` and `depths` by place."""

    spans: tuple[PhasedSpan, ...]
    parents: tuple[int, ...]
    depths: tuple[int, ...]


def in_rows(members: Sequence[PhasedSpan]) -> RowOrder:
    """Order the spans of one query, which has one root. What has lost its parent hangs below the root."""
    root = next(index for index, span in enumerate(members) if span.is_root)
    places = {(span.trace_id, span.span_id): index for index, span in enumerate(members)}
    children: dict[int, list[int]] = {}
    for index, span in enumerate(members):
        if index != root:
            above = places.get((span.trace_id, span.parent_id or ""), root)
            children.setdefault(above, []).append(index)
    order: list[int] = []
    parents: list[int] = []
    depths: list[int] = []
    waiting = [(root, -1, 0)]
    while waiting:
        index, parent, depth = waiting.pop()
        below = children.get(index, ())
        place = len(order)
        order.append(index)
        parents.append(parent)
        depths.append(depth)
        by_start = sorted(below, key=lambda child: _place(members[child]), reverse=True)
        waiting.extend((child, place, depth + 1) for child in by_start)
    return RowOrder(tuple(members[index] for index in order), tuple(parents), tuple(depths))


def _place(span: PhasedSpan) -> tuple[int, int, str, str]:
    return (span.start_ns, span.end_ns, span.trace_id, span.span_id)
