"""Files of JSON: each document is read by the first format that recognises it.

A new JSON format is one file with a `JsonFormat` and one line in `JSON_FORMATS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from punie.trace.errors import CHECK_PATH, InputError
from punie.trace.garbage import without_collections
from punie.trace.model import SpanSet
from punie.trace.registered import registered
from punie.trace.store.files.json_documents import JsonDocument, JsonDocuments, lines_of
from punie.trace.store.files.place import Place
from punie.trace.store.gathering import SpanGatherer, reason
from punie.trace.store.other_json import holds_none, rejected_spans, what_it_is
from punie.trace.store.otlp.losses import INCOMPLETE
from punie.trace.store.otlp.typed_lines import TypedLines
from punie.trace.store.otlp.values import Unreadable
from punie.trace.store.source import JsonFormat, Source
from punie.trace.waiting import shown

_LOOK_EVERY: Final = 1_024  # lines: to look at the clock takes as long as to read a tenth of one
JSON_FORMATS: Final = registered(
    JsonFormat,
    "punie.trace.store.otlp.json_format:OTLP_JSON",
    "punie.trace.store.xray:XRAY_JSON",
    "punie.trace.store.langfuse:LANGFUSE_JSON",
    "punie.trace.store.console:CONSOLE_JSON",
    "punie.trace.store.zipkin:ZIPKIN_JSON",
    "punie.trace.store.parquet.json_rows:ROWS_JSON",
    "punie.trace.store.jaeger.json_format:JAEGER_JSON",
)


def recognises(place: Place) -> bool:
    """Whether a document of the file is in one of the formats."""
    if not place.is_file:
        return False
    try:
        return any(_format_of(document.value, JSON_FORMATS) for document in place.json)
    except ValueError:
        return False


def read(place: Place) -> SpanSet:
    """The spans of a file that is recognised."""
    gatherer = SpanGatherer(place.text, unreadable=list(place.torn))
    return read_documents(place.json, gatherer)


JSON: Final = Source(", ".join(one.name for one in JSON_FORMATS), recognises, read)


def read_journal(path: Path) -> SpanSet:
    """Spans of a journal: JSON lines, of which the last may be torn. Raises `InputError` if it can't be opened."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror or error}", remedy=CHECK_PATH) from error
    return read_documents(JsonDocuments(lines_of(content)), SpanGatherer(str(path)))


_NOTHING: Final[tuple[object, ...]] = ({}, [], {"partialSuccess": {}})
"""An export without spans is an empty object in protobuf's JSON; a receiver's answer may stand beside what it took."""


def read_documents(
    documents: JsonDocuments, gatherer: SpanGatherer, formats: Sequence[JsonFormat] = JSON_FORMATS
) -> SpanSet:
    """The spans of a file's documents. Plain lines of OTLP are read as they are, without a look at what they are."""
    typed = TypedLines(gatherer)
    with without_collections():
        for whole in documents.whole:
            read_document(whole, gatherer, formats)
        lines = shown(documents.numbered_lines(), lambda count: f"read {count:,} lines", every=_LOOK_EVERY)
        for number, line in lines:
            if not typed.take(line):
                read_document(documents.parse_line(number, line), gatherer, formats)
    return gatherer.result()


def read_document(
    document: JsonDocument, gatherer: SpanGatherer, formats: Sequence[JsonFormat] = JSON_FORMATS
) -> None:
    """Give the spans of one document to `gatherer`, with what can't be read of it."""
    if document.problem:
        gatherer.refuse(document.line, document.problem)
        return
    if document.value in _NOTHING or holds_none(document.value):
        return
    if rejected := rejected_spans(document.value):
        gatherer.note(INCOMPLETE, "a receiver refused spans", rejected)
        return
    found = _format_of(document.value, formats)
    if found is None:
        gatherer.refuse(document.line, what_it_is(document.value))
        return
    try:
        found.read(document.value, document.line, gatherer)
    except (Unreadable, RecursionError) as error:
        gatherer.refuse(document.line, reason(error))


def _format_of(value: object, formats: Sequence[JsonFormat]) -> JsonFormat | None:
    try:
        return next((one for one in formats if one.recognises(value)), None)
    except RecursionError:
        return None
