"""OTLP JSON as spans: one document, or one a line as our journal and the Collector's file exporter write.

Lenient where writers differ (ids in hex of any case or base64, 64-bit integers as strings or numbers, enums as
names or numbers, unknown fields), strict where a span would be wrong: such a record is counted and named.
Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding

Lines are tried many at once (`otlp_lines`); those that this refuses are read one by one, here.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from punie.trace.errors import InputError
from punie.trace.model import Attributes, Span, SpanSet, UnreadableRecord
from punie.trace.store.files.json_documents import Document, JsonDocuments, of_lines, reason
from punie.trace.store.files.place import Place
from punie.trace.store.otlp.lines import LineReader
from punie.trace.store.otlp.values import Unreadable, attributes_of, objects, read_span

_NEWLINE: Final = b"\n"
_PROTO_KEY: Final = "resource_spans"  # protobuf's own names throughout
_ROOT_KEYS: Final = ("resourceSpans", _PROTO_KEY, "batches")  # the last is Tempo's
_WRAPPERS: Final = ("result", "trace")  # of the answers of Jaeger's API v3, of Tempo's API v2
_SCOPE_KEYS: Final = ("scopeSpans", "instrumentationLibrarySpans")  # the last is OTLP before 0.15
_LINES: Final = 1_000  # at once: one that is refused costs this many a second look


@dataclass(slots=True)
class _Reader:
    """Gathers spans and unreadable records of one source."""

    file: str
    spans: list[Span] = field(default_factory=list)
    unreadable: list[UnreadableRecord] = field(default_factory=list)

    def take(self, document: Document) -> None:
        """Read every span of one document."""
        if document.problem:
            self.refuse(document.line, document.problem)
            return
        try:
            for where, resource, scope, raw in _raw_spans(document.value):
                self._take_span(raw, resource, scope, where, document.line)
        except (Unreadable, RecursionError) as error:
            self.refuse(document.line, reason(error))
        if isinstance(document.value, dict) and document.value.get("status") == "PARTIAL":
            why = document.value.get("message") or "no reason given"
            self.refuse(document.line, f"Tempo sent a part of the trace alone: {why}")

    def _take_span(
        self, raw: dict[str, Any], resource: Attributes, scope: str, where: str, line: int
    ) -> None:
        try:
            self.spans.append(read_span(raw, resource, scope))
        except (Unreadable, RecursionError) as error:
            self.refuse(line, f"{where}: {reason(error)}")

    def take_file(self, documents: JsonDocuments) -> None:
        """Read every span of a file."""
        for whole in documents.whole:
            self.take_each(whole)
        many = LineReader()
        for at in range(0, len(documents.lines), _LINES):
            lines = documents.lines[at : at + _LINES]
            found = many.read(list(filter(bytes.strip, lines)))
            if found is None:
                self._take_singly(lines, at + 1, documents, many)
            else:
                self.spans += found

    def _take_singly(
        self, lines: Sequence[bytes], first: int, documents: JsonDocuments, many: LineReader
    ) -> None:
        for number, line in enumerate(lines, start=first):
            if not line.strip():
                continue
            found = many.read([line])
            if found is None:
                self.take_each(documents.parse_line(number, line))
            else:
                self.spans += found

    def take_each(self, document: Document) -> None:
        """Read every span of a document, or of a list of documents."""
        for one in _each(document.value):
            self.take(Document(document.line, one, document.problem))

    def refuse(self, line: int, why: str) -> None:
        """Count and name what can't be read."""
        self.unreadable.append(UnreadableRecord(file=self.file, line=line, reason=why))

    def result(self) -> SpanSet:
        """What the source gave."""
        return SpanSet(spans=tuple(self.spans), unreadable=tuple(self.unreadable))


def recognises(place: Place) -> bool:
    """Whether a document of the file has the root of OTLP JSON."""
    if not place.is_file:
        return False
    try:
        return any(_root_key(one) for document in place.json for one in _each(document.value))
    except ValueError:
        return False


def read(place: Place) -> SpanSet:
    """The spans of a file that is recognised."""
    found = _read_file(place.json, place.text)
    return replace(found, unreadable=place.torn + found.unreadable)


def read_documents(documents: Iterable[Document], name: str) -> SpanSet:
    """The spans of parsed OTLP JSON; `name` is where it came from, in the unreadable records."""
    reader = _Reader(name)
    for document in documents:
        reader.take_each(document)
    return reader.result()


def read_journal(path: Path) -> SpanSet:
    """Spans of a journal: JSON lines, of which the last may be torn. Raises `InputError` if it can't be opened."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror or error}") from error
    return _read_file(of_lines(content.split(_NEWLINE)), str(path))


def _read_file(documents: JsonDocuments, name: str) -> SpanSet:
    reader = _Reader(name)
    with _without_collections():
        reader.take_file(documents)
    return reader.result()


@contextmanager
def _without_collections() -> Iterator[None]:
    """Nothing here makes cycles, and looking for them among millions of spans takes longer than reading these."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def merge(sets: Iterable[SpanSet]) -> SpanSet:
    """Several files as one source; the coarsest clock stands for all."""
    found = tuple(sets)
    return SpanSet(
        spans=tuple(span for one in found for span in one.spans),
        unreadable=tuple(record for one in found for record in one.unreadable),
        resolution_ns=max((one.resolution_ns for one in found), default=1),
        notes=tuple(note for one in found for note in one.notes),
    )


def _each(document: object) -> list[object]:
    """The documents of a list of documents."""
    return document if isinstance(document, list) else [document]


def _root_key(document: object) -> str | None:
    if not isinstance(document, dict):
        return None
    wrapper = next((key for key in _WRAPPERS if isinstance(document.get(key), dict)), None)
    if wrapper:
        return wrapper if _root_key(document[wrapper]) else None
    return next((key for key in _ROOT_KEYS if key in document), None)


def _raw_spans(document: object) -> Iterator[tuple[str, Attributes, str, dict[str, Any]]]:
    """Where it stands, resource attributes, scope and raw span of everything in `document`."""
    key = _root_key(document)
    if key is None or not isinstance(document, dict):
        raise Unreadable("no resourceSpans")
    if key in _WRAPPERS:
        yield from _raw_spans(document[key])
        return
    if key == _PROTO_KEY:
        yield from _raw_spans(_camel_case(document))
        return
    for i, of_resource in enumerate(objects(document[key], key)):
        resource = attributes_of(_field(of_resource, "resource").get("attributes"))
        scope_key = next((name for name in _SCOPE_KEYS if name in of_resource), _SCOPE_KEYS[0])
        for j, of_scope in enumerate(objects(of_resource.get(scope_key), scope_key)):
            scope = _field(of_scope, "scope", "instrumentationLibrary").get("name")
            for k, raw in enumerate(objects(of_scope.get("spans"), "spans")):
                yield f"{key}[{i}].{scope_key}[{j}].spans[{k}]", resource, str(scope or ""), raw


def _field(owner: dict[str, Any], *names: str) -> dict[str, Any]:
    """The first object among the fields `names`; empty if there is none."""
    return next((owner[name] for name in names if isinstance(owner.get(name), dict)), {})


def _camel_case(value: object) -> object:
    """The same with JSON's field names; attribute keys are values in OTLP, so they stay."""
    if isinstance(value, dict):
        return {_camel(key): _camel_case(item) for key, item in value.items()}
    return [_camel_case(item) for item in value] if isinstance(value, list) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
