"""Rows of a table as JSON, an object a line or in the `data` of ClickHouse's answer: the columns of `columns`.

Timestamps are text or nanoseconds.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from punie.trace.model import Span
from punie.trace.store.gathering import SpanGatherer
from punie.trace.store.otlp.values import objects
from punie.trace.store.parquet.columns import NAMES
from punie.trace.store.parquet.reader import span_of
from punie.trace.store.parquet.values import UNREAD_EVENTS, EventReader
from punie.trace.store.source import JsonFormat
from punie.trace.store.timestamps import required_ns

_NEEDED: Final = ("trace_id", "span_id", "name", "start")
_TIMES: Final = ("start", "end")


def recognises(document: object) -> bool:
    """Whether it is a row with the ids, the name and the start of a span, or a list of such rows."""
    found = _rows(document)
    return bool(found) and isinstance(found[0], dict) and all(_has(found[0], ours) for ours in _NEEDED)


def read(document: object, line: int, into: SpanGatherer) -> None:
    """Give the span of every row to `into`."""
    events, rows = EventReader(), objects(_rows(document), "rows")
    for number, raw in enumerate(rows):
        into.take(line, f"[{number}]" if len(rows) > 1 else "row", partial(_span, raw, events))
    into.note(UNREAD_EVENTS, "column events", events.unread)


ROWS_JSON: Final = JsonFormat("rows as JSON", recognises, read)


def _rows(document: object) -> list[Any]:
    if isinstance(document, dict) and isinstance(document.get("data"), list):
        document = document["data"]
    return document if isinstance(document, list) else [document]


def _has(raw: dict[str, Any], ours: str) -> bool:
    return any(name in raw for name in NAMES[ours])


def _span(raw: dict[str, Any], events: EventReader) -> Span:
    row = {ours: raw[name] for ours, names in NAMES.items() for name in reversed(names) if name in raw}
    row.setdefault("parent_id", None)
    for ours in _TIMES:
        if row.get(ours):
            row[ours] = required_ns(row[ours], ours)
    return span_of(row, events)
