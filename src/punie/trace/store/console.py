"""What OpenTelemetry's Python SDK prints of spans (`ConsoleSpanExporter`, `to_json`): objects behind each other.

Ids are hexadecimal with `0x`, times are text to the microsecond, attributes are objects.
Source: https://github.com/open-telemetry/opentelemetry-python/blob/main/opentelemetry-sdk/src/opentelemetry/sdk/trace
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from punie.trace.model import Event, Span
from punie.trace.store.gathering import SpanGatherer
from punie.trace.store.otlp.values import (
    TimeUnit,
    attributes_of,
    objects,
    parent_id,
    span_id,
    span_kind,
    status_of,
    trace_id,
)
from punie.trace.store.source import JsonFormat
from punie.trace.store.timestamps import required_ns, timestamp_ns

_KEYS: Final = {"context", "start_time", "end_time"}


def recognises(document: object) -> bool:
    """Whether it is a printed span, or a list that begins with one."""
    if isinstance(document, list):
        document = document[0] if document else None
    return isinstance(document, dict) and document.keys() >= _KEYS and isinstance(document["context"], dict)


def read(document: object, line: int, into: SpanGatherer) -> None:
    """Give every span of a document to `into`; their clock step is a microsecond."""
    into.resolution_ns = max(into.resolution_ns, TimeUnit.MICROSECONDS)
    spans = document if isinstance(document, list) else [document]
    for number, raw in enumerate(objects(spans, "spans")):
        into.take(line, f"[{number}]" if len(spans) > 1 else "span", partial(_span, raw))


CONSOLE_JSON: Final = JsonFormat("spans as OpenTelemetry's Python SDK prints them", recognises, read)


def _span(raw: dict[str, Any]) -> Span:
    context = raw.get("context")
    context = context if isinstance(context, dict) else {}
    status, message = status_of(raw)
    resource = raw.get("resource")
    return Span(
        trace_id=trace_id(_digits(context.get("trace_id")), "trace_id"),
        span_id=span_id(_digits(context.get("span_id")), "span_id"),
        parent_id=parent_id(_digits(raw.get("parent_id")), "parent_id"),
        name=str(raw.get("name") or ""),
        start_ns=required_ns(raw.get("start_time"), "start_time"),
        end_ns=required_ns(raw.get("end_time"), "end_time") if raw.get("end_time") else 0,
        kind=span_kind(raw.get("kind")),
        attributes=attributes_of(raw.get("attributes")),
        status=status,
        status_message=message,
        events=tuple(
            Event(str(event.get("name") or ""), timestamp_ns(event.get("timestamp")) or 0)
            for event in objects(raw.get("events"), "events")
        ),
        resource=attributes_of(resource.get("attributes")) if isinstance(resource, dict) else {},
    )


def _digits(value: object) -> object:
    return value.removeprefix("0x") if isinstance(value, str) else value
