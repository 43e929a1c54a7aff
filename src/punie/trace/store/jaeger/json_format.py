"""Jaeger's own JSON as spans: as its query API answers (`{"data": […]}`), as its page downloads, or bare traces.

Times are microseconds. What Jaeger made tags of when it took the spans in becomes what it was: kind, status,
scope, the names of events, and arrays of plain values, which it writes as JSON text.
Sources: https://github.com/jaegertracing/jaeger-ui/blob/main/packages/jaeger-ui/src/types/trace.tsx and, for the
tags, https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/pkg/translator/jaeger
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from punie.trace import semconv
from punie.trace.model import Attributes, AttributeValue, Event, Span, SpanKind
from punie.trace.store.gathering import SpanGatherer, reason
from punie.trace.store.otlp.losses import INCOMPLETE, note_lost_by_tags
from punie.trace.store.otlp.values import (
    TimeUnit,
    Unreadable,
    array_in,
    integer,
    linked_traces,
    objects,
    parent_id,
    span_id,
    span_kind,
    time_ns,
    trace_id,
)
from punie.trace.store.source import JsonFormat
from punie.trace.store.tags import take_scope, take_status

_KIND: Final = "span.kind"
_EVENT: Final = "event"
_WARNINGS: Final = "@jaeger@warnings"  # as Jaeger 2 names them
_NO_SERVICE: Final = "OTLPResourceNoServiceName"
_HOST: Final = "hostname"
_SPAN_KEYS: Final = {"traceID", "spanID", "operationName", "startTime"}


def recognises(document: object) -> bool:
    """Whether it holds traces as Jaeger writes them."""
    if isinstance(document, list):
        return any(_is_trace(one) or _is_span(one) for one in document)
    if not isinstance(document, dict):
        return False
    data = document.get("data")
    if isinstance(data, list):
        return "errors" in document or not data or any(_is_trace(one) for one in data)
    is_trace = _is_trace(document) or _is_trace(data) or _is_span(document)
    return is_trace or ("data" in document and "errors" in document)


def read(document: object, line: int, into: SpanGatherer) -> None:
    """Give every span of a document to `into`; their clock step is a microsecond."""
    into.resolution_ns = TimeUnit.MICROSECONDS
    before = len(into.spans)
    for where, trace in _traces(document):
        try:
            processes = _processes(trace)
            spans = objects(trace.get("spans") if isinstance(trace, dict) else None, "spans")
        except (Unreadable, RecursionError) as error:
            into.refuse(line, f"{where}: {reason(error)}")
            continue
        for number, raw in enumerate(spans):
            into.take(line, f"{where}.spans[{number}]".lstrip("."), partial(_span, raw, processes))
        warnings = trace.get("warnings") if isinstance(trace, dict) else None
        for warning in warnings if isinstance(warnings, list) else ():
            into.note(INCOMPLETE, f"Jaeger warns: {warning}")
    note_lost_by_tags(into, into.spans[before:])


JAEGER_JSON: Final = JsonFormat("Jaeger JSON", recognises, read)


def _is_trace(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("spans"), list) and "resourceSpans" not in value


def _is_span(value: object) -> bool:
    """Whether it is a span alone, as Jaeger keeps them in Elasticsearch, perhaps with the index's words around it."""
    return isinstance(value, dict) and _source(value).keys() >= _SPAN_KEYS


def _source(value: dict[str, Any]) -> dict[str, Any]:
    return value["_source"] if isinstance(value.get("_source"), dict) else value


def _traces(document: object) -> Iterator[tuple[str, object]]:
    """Every trace of a document, with where it stands. Raises `Unreadable` for what Jaeger reports as errors."""
    alone = document if isinstance(document, list) else [document]
    if any(map(_is_span, alone)):
        yield "", {"spans": [_source(one) if isinstance(one, dict) else one for one in alone]}
        return
    if _is_trace(document):
        yield "trace", document
        return
    data = document.get("data") if isinstance(document, dict) else document
    if _is_trace(data):
        yield "data", data
    elif isinstance(data, list):
        name = "data" if isinstance(document, dict) else ""
        yield from ((f"{name}[{number}]", trace) for number, trace in enumerate(data))
    if isinstance(document, dict) and document.get("errors"):
        raise Unreadable(f"Jaeger reports errors: {str(document['errors'])[:200]}")


def _processes(trace: object) -> Mapping[str, Attributes]:
    if not isinstance(trace, dict):
        raise Unreadable("is no trace")
    found = trace.get("processes")
    if found is not None and not isinstance(found, dict):
        raise Unreadable("processes is no object")
    return {str(key): _resource(process) for key, process in (found or {}).items()}


def _resource(process: object) -> Attributes:
    """A process as resource attributes."""
    if not isinstance(process, dict):
        raise Unreadable("a process is no object")
    tags = _tags(process.get("tags"))
    if _HOST in tags:
        tags.setdefault(semconv.HOST_NAME, tags.pop(_HOST))
    service = process.get("serviceName")
    named = {} if service in (None, "", _NO_SERVICE) else {semconv.SERVICE_NAME: str(service)}
    return MappingProxyType({**named, **tags})


def _span(raw: dict[str, Any], processes: Mapping[str, Attributes]) -> Span:
    trace = trace_id(raw.get("traceID"), "traceID")
    start_ns = time_ns(raw.get("startTime"), "startTime", TimeUnit.MICROSECONDS)
    tags = _tags(raw.get("tags"))
    kind = _kind(tags)
    status, message = take_status(tags)
    scope = take_scope(tags)
    parent, follows = _parent(raw, trace)
    if follows:
        tags[semconv.PARENT_REFERENCE] = semconv.FOLLOWS_FROM
    warnings = raw.get("warnings")
    if isinstance(warnings, list) and warnings:
        tags[_WARNINGS] = tuple(str(warning) for warning in warnings)
    return Span(
        trace_id=trace,
        span_id=span_id(raw.get("spanID"), "spanID"),
        parent_id=parent,
        name=str(raw.get("operationName") or ""),
        start_ns=start_ns,
        end_ns=start_ns + _duration_ns(raw, start_ns),
        kind=kind,
        attributes=MappingProxyType(tags),
        status=status,
        status_message=message,
        events=tuple(_event(log) for log in objects(raw.get("logs"), "logs")),
        resource=_process_of(raw, processes),
        scope=scope,
        linked=linked_traces(raw.get("references"), trace),
    )


def _duration_ns(raw: dict[str, Any], start_ns: int) -> int:
    """May be negative, for a span that ends before it starts; the end is a time all the same."""
    duration_us = integer(raw.get("duration"))
    if duration_us is None:
        raise Unreadable(f"duration {str(raw.get('duration'))[:40]!r} is no number of microseconds")
    duration_ns = duration_us * TimeUnit.MICROSECONDS
    time_ns(start_ns + duration_ns, "startTime + duration")
    return duration_ns


def _parent(raw: dict[str, Any], trace: str) -> tuple[str | None, bool]:
    """The first CHILD_OF of the same trace, else the first FOLLOWS_FROM, and whether it is only that.

    A reference to another trace is a link. (Jaeger writes the links of OTLP as FOLLOWS_FROM, too.)
    """
    of_type: dict[str, str | None] = {}
    for reference in objects(raw.get("references"), "references"):
        if trace_id(reference.get("traceID", trace), "traceID of a reference") == trace:
            kind = str(reference.get("refType"))
            of_type.setdefault(kind, parent_id(reference.get("spanID"), "spanID of a reference"))
    legacy = parent_id(raw.get("parentSpanID"), "parentSpanID")
    parent = of_type.get("CHILD_OF") or legacy
    followed = of_type.get("FOLLOWS_FROM")
    return parent or followed, parent is None and followed is not None


def _process_of(raw: dict[str, Any], processes: Mapping[str, Attributes]) -> Attributes:
    """Its process, which stands on the span itself or, as the API has it, beside the spans."""
    if isinstance(raw.get("process"), dict):
        return _resource(raw["process"])
    return processes.get(str(raw.get("processID")), MappingProxyType({}))


def _kind(tags: dict[str, AttributeValue]) -> SpanKind:
    return span_kind(tags.pop(_KIND, None))


def _event(log: dict[str, Any]) -> Event:
    fields = _tags(log.get("fields"))
    name = fields.pop(_EVENT, None)
    time_us = integer(log.get("timestamp")) or 0
    return Event(str(name or ""), time_us * TimeUnit.MICROSECONDS, MappingProxyType(fields))


def _tags(raw: object) -> dict[str, AttributeValue]:
    """Tags as attributes of their types; of a repeated key the last counts."""
    return {str(tag.get("key")): _value(tag) for tag in objects(raw, "tags")}


def _value(tag: dict[str, Any]) -> AttributeValue:
    value = tag.get("value")
    match str(tag.get("type") or "").lower():
        case "bool":
            return value if isinstance(value, bool) else str(value).lower() == "true"
        case "int64" | "long":
            number = integer(value)
            return number if number is not None else _plain(value)
        case "float64" | "double":
            return _float(value)
        case _:
            return _plain(value)


def _float(value: object) -> AttributeValue:
    """A float; NaN and the infinities are text in JSON."""
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except (ValueError, OverflowError):
        return str(value)


def _plain(value: object) -> AttributeValue:
    if isinstance(value, str):
        return array_in(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return json.dumps(value)
