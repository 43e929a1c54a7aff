"""Zipkin's v2 JSON: a list of spans, a list of traces, or a span a line.

Times are microseconds and every tag is text. Client and server may share a span's id; the analysis parts them.
Source: https://github.com/openzipkin/zipkin-api/blob/master/zipkin2-api.yaml
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from punie.trace import semconv
from punie.trace.model import AttributeValue, Event, Span, SpanKind
from punie.trace.store.gathering import SpanGatherer
from punie.trace.store.otlp.losses import note_lost_by_tags
from punie.trace.store.otlp.values import (
    TimeUnit,
    Unreadable,
    integer,
    objects,
    parent_id,
    span_id,
    span_kind,
    time_ns,
    trace_id,
)
from punie.trace.store.source import JsonFormat
from punie.trace.store.tags import take_scope, take_status

_NEEDED: Final = {"traceId", "id"}
_TYPICAL: Final = ("timestamp", "duration", "localEndpoint", "annotations", "tags", "binaryAnnotations")
_PEER: Final = "peer.service"


def recognises(document: object) -> bool:
    """Whether it is a span of Zipkin's, or a list that begins with one."""
    while isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return False
    return document.keys() >= _NEEDED and any(name in document for name in _TYPICAL)


def read(document: object, line: int, into: SpanGatherer) -> None:
    """Give every span of a document to `into`; their clock step is a microsecond."""
    into.resolution_ns = max(into.resolution_ns, TimeUnit.MICROSECONDS)
    before = len(into.spans)
    for where, raw in _raw_spans(document, ""):
        into.take(line, where or "span", partial(_span, raw))
    note_lost_by_tags(into, into.spans[before:])


ZIPKIN_JSON: Final = JsonFormat("Zipkin v2 JSON", recognises, read)


def _raw_spans(document: object, where: str) -> Iterator[tuple[str, object]]:
    if not isinstance(document, list):
        yield where, document
        return
    for number, one in enumerate(document):
        yield from _raw_spans(one, f"{where}[{number}]")


def _span(raw: object) -> Span:
    if not isinstance(raw, dict):
        raise Unreadable("is no object")
    if "binaryAnnotations" in raw:
        raise Unreadable("is of Zipkin's v1, which has no kinds: ask Zipkin at /api/v2/trace/ID")
    tags = _tags(raw.get("tags"))
    status, message = take_status(tags)
    scope = take_scope(tags)
    peer = _service(raw.get("remoteEndpoint"))
    start_ns = time_ns(raw.get("timestamp"), "timestamp", TimeUnit.MICROSECONDS)
    service = _service(raw.get("localEndpoint"))
    return Span(
        trace_id=trace_id(raw.get("traceId"), "traceId"),
        span_id=span_id(raw.get("id"), "id"),
        parent_id=parent_id(raw.get("parentId"), "parentId"),
        name=str(raw.get("name") or ""),
        start_ns=start_ns,
        end_ns=_end_ns(raw, start_ns),
        kind=span_kind(raw["kind"]) if raw.get("kind") else SpanKind.INTERNAL,
        attributes=MappingProxyType({**({_PEER: peer} if peer else {}), **tags}),
        status=status,
        status_message=message,
        events=tuple(_event(one) for one in objects(raw.get("annotations"), "annotations")),
        resource=MappingProxyType({semconv.SERVICE_NAME: service} if service else {}),
        scope=scope,
    )


def _end_ns(raw: dict[str, Any], start_ns: int) -> int:
    """0, not ended, where there is no duration: Zipkin leaves it out of spans that were reported unfinished."""
    if raw.get("duration") is None:
        return 0
    duration_us = integer(raw["duration"])
    if duration_us is None:
        raise Unreadable(f"duration {str(raw['duration'])[:40]!r} is no number of microseconds")
    return time_ns(start_ns + duration_us * TimeUnit.MICROSECONDS, "timestamp + duration")


def _event(annotation: dict[str, Any]) -> Event:
    time_us = integer(annotation.get("timestamp")) or 0
    return Event(str(annotation.get("value") or ""), time_us * TimeUnit.MICROSECONDS)


def _tags(raw: object) -> dict[str, AttributeValue]:
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise Unreadable("tags is no object")
    return {str(key): value if isinstance(value, str) else str(value) for key, value in raw.items()}


def _service(endpoint: object) -> str:
    name = endpoint.get("serviceName") if isinstance(endpoint, dict) else None
    return str(name or "")
