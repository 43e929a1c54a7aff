"""Parquet of spans, through DuckDB (an extra): columns as `columns` names them, or a block of Tempo's (`tempo`)."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from punie.trace import semconv
from punie.trace.errors import InputError
from punie.trace.extras import install_hint
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
from punie.trace.store.parquet.asking import Asking, silent
from punie.trace.store.parquet.columns import Columns, all_columns, choose_columns
from punie.trace.store.parquet.tempo import is_tempo, read_trace
from punie.trace.store.parquet.values import UNREAD_EVENTS, EventReader, listed, plain_attributes
from punie.trace.store.row_names import is_named_otherwise, our_row
from punie.trace.store.source import Source

if TYPE_CHECKING:
    import duckdb
    from duckdb.sqltypes import DuckDBPyType

_MAGIC: Final = b"PAR1"
_ROWS: Final = 10_000
_TRACES: Final = 100
_TIMES: Final = 200  # the keys of attributes are written once for many rows
_LISTS: Final = frozenset({"list", "array", "map"})
_NESTING: Final = _LISTS | {"struct", "union"}
_DEEPEST: Final = 8  # lists in lists; Tempo's blocks have 5
_GLOB: Final = str.maketrans({char: f"[{char}]" for char in "*?["})

Row = Mapping[str, Any]


def recognises(place: Place) -> bool:
    """Whether the file starts as Parquet does."""
    return place.is_file and place.head.startswith(_MAGIC)


def read(place: Place) -> SpanSet:
    """The spans of a file that is recognised; a record's line is the number of its row, from 1.

    Raises `InputError` if DuckDB isn't installed, can't read the file, or a column is missing.
    """
    try:
        import duckdb
    except ImportError as error:
        raise InputError(
            f"{place.text}: is Parquet, and DuckDB, which reads it, isn't installed",
            remedy=install_hint("duckdb"),
        ) from error
    try:
        with duckdb.connect() as connection:
            return _read(silent(connection), place.text)
    except (duckdb.Error, UnicodeDecodeError) as error:  # its errors quote what is no text
        raise InputError(f"{place.text}: damaged Parquet: {str(error).splitlines()[0]}") from error


PARQUET: Final = Source("Parquet", recognises, read)


def file_pattern(file: str) -> str:
    """What DuckDB reads as this one file: it takes some characters for wildcards."""
    return file.translate(_GLOB)


def column_types(connection: duckdb.DuckDBPyConnection, file: str) -> Mapping[str, str]:
    """The type of each column of a file, by name.

    Raises `InputError` for lists in lists beyond what spans need: each doubles the time of those in it, and one damaged
    byte of a schema makes 15 of them, which DuckDB would read for years, deaf to being interrupted.
    """
    sql, given = "SELECT * FROM read_parquet(?)", [file_pattern(file)]
    types = {str(row[0]): str(row[1]) for row in connection.execute(f"DESCRIBE {sql}", given).fetchall()}
    found = connection.sql(
        f"{sql} LIMIT 0", params=given
    )  # after it: names that aren't UTF-8 were refused above
    for name, of in zip(types, found.types, strict=True):
        if _lists(of) > _DEEPEST:
            raise InputError(
                f"{file}: damaged Parquet: column {name} has more than {_DEEPEST} lists in lists"
            )
    return types


def _lists(of: DuckDBPyType) -> int:
    """How many lists are in each other at most; a map is a list of pairs."""
    deepest, ahead = 0, [(of, 0)]
    while ahead:
        at, outside = ahead.pop()
        if at.id in _NESTING:
            depth = outside + (at.id in _LISTS)
            deepest = max(deepest, depth)
            ahead += [(child, depth) for _, child in at.children if isinstance(child, type(of))]
    return deepest


def _read(connection: duckdb.DuckDBPyConnection, file: str) -> SpanSet:
    pattern = file_pattern(file)
    types = column_types(connection, file)
    if is_tempo(tuple(types)):
        return _read_tempo(connection, pattern, file)
    is_ours = not is_named_otherwise(types)
    columns = choose_columns(types, file) if is_ours else all_columns(types, file)
    into = SpanGatherer(file, resolution_ns=columns.resolution_ns)
    events = EventReader()
    for number, row in enumerate(_rows(connection, columns, file), start=1):
        into.take(number, "", partial(_span, row, events, is_ours=is_ours))
    into.note(UNREAD_EVENTS, "column events", events.unread)
    return into.result()


def _read_tempo(connection: duckdb.DuckDBPyConnection, pattern: str, file: str) -> SpanSet:
    into = SpanGatherer(file)
    found = Asking(connection).ask(
        "SELECT TraceID, rs FROM read_parquet(?)", [pattern], doing=f"reading {file}"
    )
    for number, (trace, resources) in enumerate(_fetched(found, _TRACES, _limit(file)), start=1):
        read_trace(trace, resources, number, into)
    return into.result()


def _limit(file: str) -> UnpackedLimit:
    return UnpackedLimit(file, Path(file).stat().st_size, _TIMES)


def _rows(connection: duckdb.DuckDBPyConnection, columns: Columns, file: str) -> Iterator[Row]:
    # The selection is made of column names of the file, quoted; a parameter can't stand there.
    sql = f"SELECT {columns.selection} FROM read_parquet(?)"  # noqa: S608
    found = Asking(connection).ask(sql, [file_pattern(file)], doing=f"reading {file}")
    return (dict(zip(columns.names, row, strict=True)) for row in _fetched(found, _ROWS, _limit(file)))


def _fetched(
    found: duckdb.DuckDBPyConnection, at_once: int, limit: UnpackedLimit
) -> Iterator[tuple[Any, ...]]:
    """Rows; the first few at a time, so that long values are counted before many of them are in memory."""
    size = 1
    while rows := found.fetchmany(size):
        limit.count(len(pickle.dumps(rows)))
        yield from rows
        size = min(2 * size, at_once)


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
