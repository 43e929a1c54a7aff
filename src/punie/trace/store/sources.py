"""The registry of sources: where spans can be read from. A new source is one file and one line here.

A source is a module with two functions, `recognises` and `read`; the first that recognises a place reads it.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Final, Protocol, cast

from punie.trace.errors import InputError
from punie.trace.model import SpanSet
from punie.trace.store.attribute_values import with_typed_values
from punie.trace.store.files.place import Place


class Source(Protocol):
    """What a source's module has."""

    def recognises(self, place: Place) -> bool:
        """Whether `place` is of this kind; cheap, and without packages that may be missing."""
        ...

    def read(self, place: Place) -> SpanSet:
        """Its spans, with what could not be read. Raises `InputError` that names the place."""
        ...


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """A source's name, as the help and the errors say it, and its module."""

    name: str
    module: str

    def load(self) -> Source:
        """The module, imported now."""
        return cast("Source", importlib.import_module(self.module))


SOURCES: Final = (
    SourceEntry("Jaeger's query API (jaeger://HOST:16686?service=NAME)", "punie.trace.store.jaeger.api"),
    SourceEntry("ClickHouse (clickhouse://USER@HOST/DB?service=NAME)", "punie.trace.store.clickhouse"),
    SourceEntry("a run folder", "punie.trace.store.runs.run_folder"),
    SourceEntry("a folder of such files", "punie.trace.store.runs.span_folder"),
    SourceEntry("Parquet", "punie.trace.store.parquet.reader"),
    SourceEntry("OTLP protobuf", "punie.trace.store.otlp.protobuf"),
    SourceEntry("OTLP JSON", "punie.trace.store.otlp.json_reader"),
    SourceEntry("Jaeger JSON", "punie.trace.store.jaeger.json_reader"),
)


def read_source(text: str) -> SpanSet:
    """The spans of the path or URL `text`. Raises `InputError` that names it if nothing can read it."""
    place = Place(text)
    for entry in SOURCES:
        source = entry.load()
        if source.recognises(place):
            return with_typed_values(source.read(place), place.shown)
    raise InputError(f"{place.shown}: {_what_is_wrong(place)}", remedy=_remedy())


def _remedy() -> str:
    return "Spans are read from: " + ", ".join(entry.name for entry in SOURCES)


def _what_is_wrong(place: Place) -> str:
    if place.is_url:
        return f"no source has the scheme {place.text.partition('://')[0]!r}"
    if not place.is_file:
        return "no such file or folder" if not place.path.exists() else "neither a file nor a folder"
    if place.torn:
        return place.torn[0].reason
    if not any(message.strip() for message in place.unpacked.messages):
        return "holds no spans: it is empty"
    try:
        is_json = any(not document.problem for document in place.json)
    except ValueError as error:
        return f"neither JSON nor a format that we know: {error}"
    return (
        "JSON, but neither OTLP (no resourceSpans) nor Jaeger's (no data, no spans)"
        if is_json
        else "not JSON in any line"
    )
