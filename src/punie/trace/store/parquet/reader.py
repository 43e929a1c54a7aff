"""Parquet of spans, through DuckDB (an extra): columns as `columns` names them, or a block of Tempo's (`tempo`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

from punie.trace import semconv
from punie.trace.model import Span, SpanSet
from punie.trace.store.files.limit import UnpackedLimit
from punie.trace.store.files.place import Place
from punie.trace.store.gathering import SpanGatherer
from punie.trace.store.otlp.values import (
    Unreadable,
    integer,
    linked_traces,
    parent_id,
    span_id,
    span_kind,
    status_code,
    time_ns,
    trace_id,
)
from punie.trace.store.parquet.columns import all_columns, choose_columns
from punie.trace.store.parquet.tempo import COLUMNS, is_tempo, read_trace
from punie.trace.store.parquet.values import UNREAD_EVENTS, EventReader, listed, plain_attributes
from punie.trace.store.row_names import is_named_otherwise, our_row
from punie.trace.store.source import Source

_MAGIC: Final = b"PAR1"
_ROWS: Final = 10_000
_TRACES: Final = 100
_TIMES: Final = 200  # the keys of attributes are written once for many rows

Row = Mapping[str, Any]


def recognises(place: Place) -> bool:
    """Whether the file starts as Parquet does."""
    return place.is_file and place.head.startswith(_MAGIC)


def read(place: Place) -> SpanSet:
    """The spans of a file that is recognised; a record's line is the number of its row, from 1.

    Raises `InputError` if DuckDB isn't installed, can't read the file, or a column is missing.
    """
    from punie.trace.store.parquet.apart import apart
    from punie.trace.store.parquet.rows import send_types

    file = place.text
    limit = limit_of(file, [file])
    (sent,) = apart(limit, send_types, file)
    types = cast(Mapping[str, str], sent)
    return _read_tempo(file, limit) if is_tempo(tuple(types)) else _read(types, file, limit)


PARQUET: Final = Source("Parquet", recognises, read)


def limit_of(named: str, files: Sequence[str]) -> UnpackedLimit:
    """How much may come of Parquet files, and in which time."""
    return UnpackedLimit(named, sum(Path(file).stat().st_size for file in files), _TIMES)


def _read(types: Mapping[str, str], file: str, limit: UnpackedLimit) -> SpanSet:
    is_ours = not is_named_otherwise(types)
    columns = choose_columns(types, file) if is_ours else all_columns(types, file)
    into = SpanGatherer(file, resolution_ns=columns.resolution_ns)
    events = EventReader()
    for number, values in enumerate(_rows(file, limit, columns.selection, _ROWS), start=1):
        row = dict(zip(columns.names, values, strict=True))
        into.take(number, "", partial(_span, row, events, is_ours=is_ours))
    into.note(UNREAD_EVENTS, "column events", events.unread)
    return into.result()


def _read_tempo(file: str, limit: UnpackedLimit) -> SpanSet:
    into = SpanGatherer(file)
    for number, (trace, resources) in enumerate(_rows(file, limit, ", ".join(COLUMNS), _TRACES), start=1):
        read_trace(trace, resources, number, into)
    return into.result()


def _rows(file: str, limit: UnpackedLimit, selection: str, at_once: int) -> Iterator[Sequence[Any]]:
    from punie.trace.store.parquet.apart import apart
    from punie.trace.store.parquet.rows import send_rows

    for rows in apart(limit, send_rows, file, selection, at_once):
        yield from cast(Sequence[Sequence[Any]], rows)


def _span(row: Row, events: EventReader, *, is_ours: bool) -> Span:
    return span_of(row if is_ours else our_row(dict(row)), events)


def span_of(row: Row, events: EventReader) -> Span:
    """The span of a row of our names. Raises `Unreadable` if it is none."""
    start_ns = time_ns(row["start"], "start")
    resource = dict(plain_attributes(row.get("resource"), "resource"))
    if row.get("service"):
        resource.setdefault(semconv.SERVICE_NAME, str(row["service"]))
    return Span(
        trace_id=trace_id(_hex(row["trace_id"]), "trace id"),
        span_id=span_id(_hex(row["span_id"]), "span id"),
        parent_id=parent_id(_hex(row["parent_id"]), "parent id"),
        name=str(row["name"] or ""),
        start_ns=start_ns,
        end_ns=_end_ns(row, start_ns),
        kind=span_kind(row.get("kind")),
        attributes=plain_attributes(row.get("attributes")),
        status=status_code(row.get("status")),
        status_message=str(row.get("status_message") or ""),
        events=events.read(row),
        resource=MappingProxyType(resource),
        scope=str(row.get("scope") or ""),
        linked=linked_traces(listed(row.get("links")), row["trace_id"]),
    )


def _end_ns(row: Row, start_ns: int) -> int:
    """The end, else start and duration; 0, not ended, where the file has an end column without a value."""
    if "end" in row:
        return time_ns(row["end"] or 0, "end")
    duration_ns = integer(row["duration"])
    if duration_ns is None:
        raise Unreadable("no end and no duration")
    return time_ns(start_ns + duration_ns, "start + duration")


def _hex(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value
