"""OTLP JSON as spans: one document, or one a line as our journal and the Collector's file exporter write.

Lenient where writers differ (ids in hex of any case or base64, 64-bit integers as strings or numbers, enums as
names or numbers, unknown fields), strict where a span would be wrong: such a record is counted and named.
Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from punie.trace.errors import InputError
from punie.trace.model import Attributes, Span, SpanSet, UnreadableRecord
from punie.trace.store.otlp_values import Unreadable, attributes_of, objects, read_span

_NEWLINE: Final = b"\n"
_BOM: Final = b"\xef\xbb\xbf"
_ROOT_KEYS: Final = ("resourceSpans", "resource_spans", "batches")  # the last is Tempo's
_SCOPE_KEYS: Final = (
    "scopeSpans",
    "scope_spans",
    "instrumentationLibrarySpans",
)  # the last is OTLP before 0.15


@dataclass(slots=True)
class _Reader:
    """Gathers spans and unreadable records of one file."""

    file: str
    spans: list[Span] = field(default_factory=list)
    unreadable: list[UnreadableRecord] = field(default_factory=list)

    def take(self, document: object, line: int) -> None:
        """Read every span of one parsed document; `line` is where it starts."""
        try:
            for where, resource, scope, raw in _raw_spans(document):
                self._take_span(raw, resource, scope, where, line)
        except (Unreadable, RecursionError) as error:
            self.refuse(line, _reason(error))

    def _take_span(
        self, raw: dict[str, Any], resource: Attributes, scope: str, where: str, line: int
    ) -> None:
        try:
            self.spans.append(read_span(raw, resource, scope))
        except (Unreadable, RecursionError) as error:
            self.refuse(line, f"{where}: {_reason(error)}")

    def refuse(self, line: int, reason: str) -> None:
        """Count and name what can't be read."""
        self.unreadable.append(UnreadableRecord(file=self.file, line=line, reason=reason))

    def result(self) -> SpanSet:
        """What the file gave."""
        return SpanSet(spans=tuple(self.spans), unreadable=tuple(self.unreadable))


def read_otlp(path: Path) -> SpanSet:
    """Spans of a file of OTLP JSON, one document or JSON lines.

    Raises `InputError` if the file can't be opened or nothing in it is OTLP JSON.
    """
    content = _content(path)
    lines = content.split(_NEWLINE)
    if not content.strip():
        return SpanSet(spans=())
    first = next(line for line in lines if line.strip())
    if _is_object(first) and sum(1 for line in lines if line.strip()) > 1:
        return _read_lines(path, lines)
    try:
        document = _parse(content)
    except (ValueError, RecursionError) as error:
        if any(_is_object(line) for line in lines):
            return _read_lines(path, lines)
        raise InputError(f"{path}: not JSON: {_reason(error)}", remedy=_REMEDY) from error
    return _read_document(path, document)


def read_journal(path: Path) -> SpanSet:
    """Spans of a journal: JSON lines, of which the last may be torn. Raises `InputError` if it can't be opened."""
    return _read_lines(path, _content(path).split(_NEWLINE))


def merge(sets: Iterable[SpanSet]) -> SpanSet:
    """Several files as one source; the coarsest clock stands for all."""
    found = tuple(sets)
    return SpanSet(
        spans=tuple(span for one in found for span in one.spans),
        unreadable=tuple(record for one in found for record in one.unreadable),
        resolution_ns=max((one.resolution_ns for one in found), default=1),
    )


_REMEDY: Final = "Give a file of OTLP JSON: one document with resourceSpans, or one such document a line."


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes().removeprefix(_BOM)
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror or error}") from error


def _read_lines(path: Path, lines: list[bytes]) -> SpanSet:
    reader = _Reader(str(path))
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            document = _parse(line)
        except (ValueError, RecursionError) as error:
            torn = number == len(
                lines
            )  # whole lines end with a newline, so after the last one nothing follows
            reader.refuse(number, f"{'torn line' if torn else 'not JSON'}: {_reason(error)}")
        else:
            reader.take(document, number)
    return reader.result()


def _read_document(path: Path, document: object) -> SpanSet:
    documents = document if isinstance(document, list) else [document]
    if not any(_root_key(one) for one in documents):
        raise InputError(f"{path}: {_what_else(document)}", remedy=_REMEDY)
    reader = _Reader(str(path))
    for one in documents:
        reader.take(one, 1)
    return reader.result()


def _what_else(document: object) -> str:
    traces = document.get("data") if isinstance(document, dict) else None
    if isinstance(traces, list):
        return "no OTLP JSON: it has no resourceSpans; by its `data` it looks like Jaeger JSON"
    return "no OTLP JSON: it has no resourceSpans"


def _parse(text: bytes) -> object:
    found: object = json.loads(text.decode("utf-8"))
    return found


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(_parse(line), dict)
    except (ValueError, RecursionError):
        return False


def _root_key(document: object) -> str | None:
    if not isinstance(document, dict):
        return None
    if isinstance(document.get("result"), dict):  # as Jaeger's API v3 answers
        return "result"
    return next((key for key in _ROOT_KEYS if key in document), None)


def _raw_spans(document: object) -> Iterator[tuple[str, Attributes, str, dict[str, Any]]]:
    """Where it stands, resource attributes, scope and raw span of everything in `document`."""
    key = _root_key(document)
    if key is None or not isinstance(document, dict):
        raise Unreadable("no resourceSpans")
    if key == "result":
        yield from _raw_spans(document[key])
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


def _reason(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
