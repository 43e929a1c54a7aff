"""An ended span as one line of OTLP/JSON, the form that the Collector's file exporter writes.

OTLP's JSON differs from protobuf's own JSON mapping: ids are lower-case hex, not base64, and enums are
numbers. 64-bit integers are strings, as protobuf wants them.
Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, TraceState, format_span_id, format_trace_id

_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1
_FLAG_HAS_REMOTE: Final = 0x100  # the next flag is known
_FLAG_IS_REMOTE: Final = 0x200  # the parent lives in another process
_EMPTY_SCOPE: Final = InstrumentationScope(name="")
_CACHED_PREFIXES: Final = 64

Json = dict[str, Any]


class LineEncoder:
    """Encodes spans; the text of a resource and scope is made once, for they repeat on every line."""

    def __init__(self) -> None:
        self._prefixes: dict[tuple[int, int], tuple[Resource, InstrumentationScope, str]] = {}

    def encode(self, span: ReadableSpan) -> bytes:
        """The span as one line of OTLP/JSON, newline included, ASCII only."""
        prefix = self._prefix(span.resource, span.instrumentation_scope or _EMPTY_SCOPE)
        return f"{prefix}{_dump(span_json(span))}]}}]}}]}}\n".encode("ascii")

    def _prefix(self, resource: Resource, scope: InstrumentationScope) -> str:
        key = (id(resource), id(scope))  # the entry holds both, so an id can't be reused while it is a key
        cached = self._prefixes.get(key)
        if cached is not None:
            return cached[2]
        if len(self._prefixes) >= _CACHED_PREFIXES:
            self._prefixes.clear()
        text = _prefix_text(resource, scope)
        self._prefixes[key] = (resource, scope, text)
        return text


def span_json(span: ReadableSpan) -> Json:
    """The OTLP/JSON object of one span, without its resource and scope. `end_time` must be set or 0."""
    context = span.context
    if context is None:
        raise ValueError(f"span {span.name!r} has no context")
    found: Json = {"traceId": format_trace_id(context.trace_id), "spanId": format_span_id(context.span_id)}
    if context.trace_state:
        found["traceState"] = _trace_state(context.trace_state)
    if span.parent is not None:
        found["parentSpanId"] = format_span_id(span.parent.span_id)
    found |= {
        "flags": _flags(context, span.parent),
        "name": span.name,
        "kind": span.kind.value + 1,  # the SDK counts from INTERNAL = 0, OTLP from UNSPECIFIED = 0
        "startTimeUnixNano": str(span.start_time or 0),
        "endTimeUnixNano": str(span.end_time or 0),
        "attributes": attributes_json(span.attributes),
        "events": [_event_json(event) for event in span.events],
        "links": [_link_json(link) for link in span.links],
        "status": _status_json(span),
    }
    return found | _dropped(span)


def attributes_json(attributes: Mapping[str, Any] | None) -> list[Json]:
    """Attributes as OTLP's list of key and AnyValue."""
    return [{"key": str(key), "value": value_json(value)} for key, value in (attributes or {}).items()]


def value_json(value: object) -> Json:
    """One value as OTLP's AnyValue. What OTLP has no type for becomes its text."""
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case str():
            return {"stringValue": str(value)}
        case int():
            fits = _INT64_MIN <= value <= _INT64_MAX
            return {"intValue": str(int(value))} if fits else {"stringValue": str(int(value))}
        case float():
            return {"doubleValue": float(value) if math.isfinite(value) else _non_finite(value)}
        case bytes() | bytearray() | memoryview():
            return {"bytesValue": base64.b64encode(value).decode("ascii")}
        case Mapping():
            return {"kvlistValue": {"values": attributes_json(value)}}
        case Sequence():
            return {"arrayValue": {"values": [value_json(item) for item in value]}}
        case _:
            return {"stringValue": str(value)}


def _prefix_text(resource: Resource, scope: InstrumentationScope) -> str:
    resource_text = _dump({"attributes": attributes_json(resource.attributes)})
    scope_json: Json = {"name": scope.name}
    if scope.version:
        scope_json["version"] = scope.version
    if scope.attributes:
        scope_json["attributes"] = attributes_json(scope.attributes)
    return f'{{"resourceSpans":[{{"resource":{resource_text},"scopeSpans":[{{"scope":{_dump(scope_json)},"spans":['


def _event_json(event: Event) -> Json:
    return {
        "timeUnixNano": str(event.timestamp),
        "name": event.name,
        "attributes": attributes_json(event.attributes),
    }


def _link_json(link: Link) -> Json:
    found: Json = {
        "traceId": format_trace_id(link.context.trace_id),
        "spanId": format_span_id(link.context.span_id),
        "attributes": attributes_json(link.attributes),
    }
    if link.context.trace_state:
        found["traceState"] = _trace_state(link.context.trace_state)
    return found


def _status_json(span: ReadableSpan) -> Json:
    code = span.status.status_code.value  # the same numbers in the SDK and in OTLP
    found: Json = {"code": code} if code else {}
    return found | {"message": span.status.description} if span.status.description else found


def _dropped(span: ReadableSpan) -> Json:
    counts = {
        "droppedAttributesCount": span.dropped_attributes,
        "droppedEventsCount": span.dropped_events,
        "droppedLinksCount": span.dropped_links,
    }
    return {name: count for name, count in counts.items() if count}


def _flags(context: SpanContext, parent: SpanContext | None) -> int:
    remote = _FLAG_IS_REMOTE if parent is not None and parent.is_remote else 0
    return int(context.trace_flags) | _FLAG_HAS_REMOTE | remote


def _trace_state(state: TraceState) -> str:
    return ",".join(f"{key}={value}" for key, value in state.items())


def _non_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _dump(value: Json) -> str:
    # ASCII: a lone surrogate in a model's output stays a legal escape, and U+2028 can't break a line.
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
