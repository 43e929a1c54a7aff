"""Rows of a table as JSON, an object a line or in lists and answers of many kinds, or as CSV: see `row_names`.

Timestamps are text or nanoseconds.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from punie.trace.model import Span, SpanSet
from punie.trace.store.files.place import Place
from punie.trace.store.gathering import SpanGatherer
from punie.trace.store.otlp.losses import INCOMPLETE, note_dropped
from punie.trace.store.otlp.values import Unreadable, integer
from punie.trace.store.parquet.reader import span_of
from punie.trace.store.parquet.values import UNREAD_EVENTS, EventReader
from punie.trace.store.row_documents import rows_in
from punie.trace.store.row_names import is_row, our_row
from punie.trace.store.source import JsonFormat, Source

_DROPPED: Final = (
    "transaction.span_count.dropped",
    *(f"dropped_{what}_count" for what in ("attributes", "events", "links")),
)
_LONGEST_CELL: Final = 2**24  # characters


def recognises(document: object) -> bool:
    """Whether the first row has the ids, the name, the start and the end of a span."""
    return is_row(next(rows_in(document), None))


def read(document: object, line: int, into: SpanGatherer) -> None:
    """Give the span of every row to `into`."""
    events, rows = EventReader(), [*rows_in(document)]
    for number, raw in enumerate(rows):
        into.take(line, f"[{number}]" if len(rows) > 1 else "row", partial(_span, raw, events))
        _note_losses(raw if isinstance(raw, dict) else {}, into)
    into.note(UNREAD_EVENTS, "column events", events.unread)


ROWS_JSON: Final = JsonFormat("rows as JSON", recognises, read)


def _note_losses(row: Mapping[str, Any], into: SpanGatherer) -> None:
    spans, attributes, events, links = (max(integer(row.get(name)) or 0, 0) for name in _DROPPED)
    into.note(INCOMPLETE, "Elastic APM dropped spans of transactions", spans)
    note_dropped(into, attributes, events + links)


def recognises_csv(place: Place) -> bool:
    """Whether the file's first line names the columns of spans."""
    if not place.is_file or place.head[:1] in (b"{", b"["):
        return False
    return is_row(dict.fromkeys(next(_cells(place), ())))


def read_csv(place: Place) -> SpanSet:
    """The spans of a file that is recognised; a record's line is the number of its row, from 1."""
    into, events, rows = SpanGatherer(place.text, unreadable=list(place.torn)), EventReader(), _cells(place)
    names = next(rows)
    for number, cells in enumerate(rows, start=2):
        if any(cells):
            into.take(number, "", partial(_span, dict(zip(names, cells, strict=False)), events))
    into.note(UNREAD_EVENTS, "column events", events.unread)
    return into.result()


ROWS_CSV: Final = Source("CSV", recognises_csv, read_csv)


def _cells(place: Place) -> Iterator[list[str]]:
    """The cells of each row; what follows damage is lost."""
    csv.field_size_limit(_LONGEST_CELL)
    for message in place.unpacked.messages:
        try:
            yield from csv.reader(io.StringIO(message.decode("utf-8-sig"), newline=""))
        except (csv.Error, UnicodeDecodeError):
            return


def _span(raw: object, events: EventReader) -> Span:
    if not isinstance(raw, dict):
        raise Unreadable("is no object")
    return span_of(our_row(raw), events)
