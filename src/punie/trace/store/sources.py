"""The registry of sources: where spans can be read from. The first that recognises a place reads it.

A new source is one file with a `Source` and one line here; a new format of files has its line in `file_formats`, a new
kind of JSON in `json_files`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from punie.trace.errors import InputError
from punie.trace.model import SpanSet
from punie.trace.registered import registered
from punie.trace.store.file_formats import FILE_FORMATS, read_file
from punie.trace.store.files.place import Place
from punie.trace.store.otlp.json_format import OTHER_SIGNALS
from punie.trace.store.source import Source

SOURCES: Final = registered(
    Source,
    "punie.trace.store.jaeger.api:JAEGER_API",
    "punie.trace.store.clickhouse.source:CLICKHOUSE",
    "punie.trace.store.runs.run_folder:RUN_FOLDER",
    "punie.trace.store.runs.span_folder:SPAN_FOLDER",
)


def read_source(text: str, sources: Sequence[Source] = SOURCES) -> SpanSet:
    """The spans of the path or URL `text`. Raises `InputError` that names it if nothing can read it."""
    place = Place(text)
    for source in sources:
        if source.recognises(place):
            return source.read(place)
    if not place.is_url:
        return _with_spans(read_file(place), place)
    raise InputError(
        f"{place.shown}: no source has the scheme {text.partition('://')[0]!r}",
        remedy="Spans are read from: " + ", ".join(source.name for source in (*sources, *FILE_FORMATS)),
    )


def _with_spans(span_set: SpanSet, place: Place) -> SpanSet:
    """`span_set`, if it isn't of other signals alone. Raises `InputError` that names them."""
    signals = [
        note.case.removeprefix(f"{place.text}: ") for note in span_set.notes if note.slug == OTHER_SIGNALS
    ]
    if span_set.spans or span_set.unreadable or not signals:
        return span_set
    raise InputError(
        f"{place.text}: holds no spans: it is OTLP, but of {' and '.join(signals)}",
        remedy="Give the file to which the exporter writes traces.",
    )
