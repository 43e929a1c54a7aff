"""Jaeger's query API, version 3: OTLP JSON with nanoseconds, in one `result` or one a line.

Source: https://www.jaegertracing.io/docs/latest/architecture/apis/#http-json, and Jaeger's `http_gateway.go`.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NoReturn

from msgspec.structs import replace

from punie.trace.errors import InputError
from punie.trace.model import AttributeValue, SourceNote, Span, SpanSet
from punie.trace.store.attribute_values import with_typed_values
from punie.trace.store.files.json_documents import JsonDocument, JsonDocuments, split_documents
from punie.trace.store.files.place import Place
from punie.trace.store.gathering import SpanGatherer
from punie.trace.store.jaeger.query import SCHEME, JaegerQuery, parse_query
from punie.trace.store.json_files import read_document
from punie.trace.store.otlp.json_format import OTLP_JSON
from punie.trace.store.otlp.values import array_in
from punie.trace.store.source import Source

if TYPE_CHECKING:
    from http.client import HTTPResponse

_TIMEOUT_S: Final = 60
_WHOLE_S: Final = 600.0  # the other one begins anew with every byte
_MOST_BYTES: Final = 2 << 30
_PIECE_BYTES: Final = 1 << 20
_OK: Final = 200
_NOT_FOUND: Final = 404
_WHERE: Final = "Give the port of Jaeger's query service, 16686, and the prefix of its page if it has one."
_NAMED_SERVICES: Final = 10


def recognises(place: Place) -> bool:
    """Whether it is a URL of ours."""
    return place.text.startswith(f"{SCHEME}://")


def read(place: Place) -> SpanSet:
    """The spans of the traces that the URL asks for, those of the last hour if it says nothing else."""
    return search(parse_query(place.text), place.shown, time.time_ns())


JAEGER_API: Final = Source("Jaeger's query API (jaeger://HOST:16686?service=NAME)", recognises, read)


def search(query: JaegerQuery, url: str, now_ns: int) -> SpanSet:
    """Ask Jaeger at `now_ns`. Raises `InputError` that names `url` if it can't be asked or has nothing.

    If there are more traces than the limit, a note says so: some were left out.
    """
    answer = _get(query, query.path(now_ns), url)
    if answer.status == _NOT_FOUND and answer.error:
        _raise_why_nothing(query, url)
    if answer.status != _OK:
        _refuse_status(answer, url)
    into = SpanGatherer(url)
    for document in _documents(answer, url):
        if not _is_empty(document):
            read_document(document, into, (OTLP_JSON,))
    found = into.result()
    # its storages keep them as text
    found = replace(found, spans=tuple(_with_arrays(span) for span in found.spans))
    found = with_typed_values(found, url)
    if not found.spans and not found.unreadable:
        _raise_why_nothing(query, url)
    return _newest(found, query.limit, url)


def _newest(span_set: SpanSet, limit: int, url: str) -> SpanSet:
    """The newest traces: one more was asked for, only to see whether there are more."""
    began: dict[str, int] = {}
    for span in span_set.spans:
        began[span.trace_id] = min(span.start_ns, began.get(span.trace_id, span.start_ns))
    if len(began) <= limit:
        return span_set
    newest = set(sorted(began, key=lambda trace_id: -began[trace_id])[:limit])
    cut = SourceNote(
        "cut-by-limit", f"{url}: more than {limit} traces match, and only the newest were read: raise limit="
    )
    return replace(
        span_set,
        spans=tuple(span for span in span_set.spans if span.trace_id in newest),
        notes=(*span_set.notes, cut),
    )


def _with_arrays(span: Span) -> Span:
    """Storages that keep tags, Badger for one, give an array back as JSON text."""
    return replace(span, attributes=MappingProxyType({k: _value(v) for k, v in span.attributes.items()}))


def _value(value: AttributeValue) -> AttributeValue:
    return array_in(value) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class _Answer:
    """A response: its status, its body, and the message of Jaeger's error, "" if the body is none."""

    status: int
    body: bytes
    error: str


def _get(query: JaegerQuery, path: str, url: str) -> _Answer:
    from http.client import HTTPConnection, HTTPException  # with what these need: for those who ask a server

    from punie.trace.bounded_get import getting

    connection = HTTPConnection(query.host, query.port, timeout=_TIMEOUT_S)
    accepted = {"Accept": "application/json"}
    try:
        with getting(connection, path, whole_s=_WHOLE_S, headers=accepted) as response:
            body = _read(response)
    except (OSError, HTTPException) as error:
        raise InputError(
            f"{url}: can't ask Jaeger at {query.host}:{query.port}: {str(error) or type(error).__name__}",
            remedy="Is it running? Its query port is 16686 if nothing else was configured.",
        ) from error
    return _Answer(response.status, body, _error_of(body))


def _read(response: HTTPResponse) -> bytes:
    """The body, if it has an end that can be waited for. Raises `OSError`."""
    pieces, size = [], 0
    while piece := response.read1(_PIECE_BYTES):
        pieces.append(piece)
        size += len(piece)
        if size > _MOST_BYTES:
            raise OSError(f"its answer is larger than {_MOST_BYTES} bytes: a smaller limit= makes it smaller")
    if response.length:
        raise OSError(f"its answer ended {response.length} bytes too early")
    return b"".join(pieces)


def _error_of(body: bytes) -> str:
    """Jaeger's message, from its JSON of an error."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    error = found.get("error") if isinstance(found, dict) else None
    return str(error.get("message") or error)[:200] if isinstance(error, dict) else ""


def _documents(answer: _Answer, url: str) -> JsonDocuments:
    try:
        documents = split_documents((answer.body,))
    except ValueError as error:
        raise InputError(f"{url}: Jaeger's answer is no JSON: {error}", remedy=_WHERE) from error
    for document in documents:
        if isinstance(document.value, dict) and "error" in document.value:
            said = _error_of(json.dumps(document.value).encode())
            raise InputError(
                f"{url}: Jaeger ended its answer with an error: {said}",
                remedy="Ask for less: a smaller limit=, a shorter lookback=",
            )
    return documents


def _is_empty(document: JsonDocument) -> bool:
    """An empty result: protobuf's JSON leaves out what is empty."""
    return not document.problem and document.value in ({}, {"result": {}})


def _refuse_status(answer: _Answer, url: str) -> NoReturn:
    if answer.error:
        raise InputError(
            f"{url}: Jaeger refused (HTTP {answer.status}): {answer.error}",
            remedy="Change what the URL asks for, or look into Jaeger's log.",
        )
    raise InputError(
        f"{url}: no answer of Jaeger's API v3 there (HTTP {answer.status})",
        remedy=_WHERE,
    )


def _raise_why_nothing(query: JaegerQuery, url: str) -> NoReturn:
    """Nothing found: is the service unknown, or was it only quiet?"""
    known = _services(query, url)
    if query.service in known:
        within = f" with the operation {query.operation!r}" if query.operation else ""
        raise InputError(
            f"{url}: no traces of {query.service!r}{within} in the last {query.lookback}",
            remedy="A longer time: lookback=24h",
        )
    named = ", ".join(known[:_NAMED_SERVICES]) + (", …" if len(known) > _NAMED_SERVICES else "")
    raise InputError(
        f"{url}: Jaeger knows no service {query.service!r}; it knows {named or 'none'}",
        remedy="Name one that it knows: service=NAME",
    )


def _services(query: JaegerQuery, url: str) -> list[str]:
    answer = _get(query, query.services_path, url)
    if answer.status != _OK:
        _refuse_status(answer, url)
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{url}: Jaeger's list of services is no JSON: {error}", remedy=_WHERE) from error
    services = found.get("services") if isinstance(found, dict) else None
    return sorted(str(name) for name in services) if isinstance(services, list) else []
