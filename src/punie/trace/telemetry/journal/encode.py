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
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Final, cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, TraceState

from punie.trace.urls import without_passwords

_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1
_FLAG_HAS_REMOTE: Final = 0x100  # the next flag is known
_FLAG_IS_REMOTE: Final = 0x200  # the parent lives in another process
_EMPTY_SCOPE: Final = InstrumentationScope(name="")
_CACHED_PREFIXES: Final = 64
_EXCEPTION: Final = "exception"

Json = dict[str, Any]


class LineEncoder:
    """Encodes spans; the text of a resource and scope is made once, for they repeat on every line."""

    def __init__(self) -> None:
        self._prefixes: dict[tuple[int, int], tuple[Resource, InstrumentationScope, str]] = {}

    def encode(self, span: ReadableSpan) -> bytes:
        """The span as one line of OTLP/JSON, newline included, ASCII only."""
        prefix = self._prefix(span.resource, span.instrumentation_scope or _EMPTY_SCOPE)
        return f"{prefix}{span_text(span)}]}}]}}]}}\n".encode("ascii")

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


def span_text(span: ReadableSpan) -> str:
    """The OTLP/JSON object of one span, without its resource and scope. `end_time` must be set or 0.

    Written directly: each span is written while somebody waits, and nearly all of it is known text and short values.
    """
    context, parent, status = span.context, span.parent, span.status
    if context is None:
        raise ValueError(f"span {span.name!r} has no context")
    state = f'"traceState":{_quoted(_trace_state(context.trace_state))},' if context.trace_state else ""
    above = f'"parentSpanId":"{parent.span_id:016x}",' if parent is not None else ""
    events = f"[{','.join(map(_event_text, span.events))}]" if span.events else "[]"
    links = f"[{','.join(map(_link_text, span.links))}]" if span.links else "[]"
    return (
        f'{{"traceId":"{context.trace_id:032x}","spanId":"{context.span_id:016x}",{state}{above}'
        f'"flags":{_flags(context, parent)},"name":{_quoted(span.name)},'
        f'"kind":{span.kind.value + 1},'  # the SDK counts from INTERNAL = 0, OTLP from UNSPECIFIED = 0
        f'"startTimeUnixNano":"{span.start_time or 0}","endTimeUnixNano":"{span.end_time or 0}",'
        f'"attributes":{_attributes_text(span.attributes)},"events":{events},"links":{links},'
        f'"status":{_status_text(status)}{_dropped(span)}}}'
    )


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
    schema = f'"schemaUrl":{_dump(scope.schema_url)},' if scope.schema_url else ""
    return (
        f'{{"resourceSpans":[{{"resource":{resource_text},"scopeSpans":['
        f'{{"scope":{_dump(scope_json)},{schema}"spans":['
    )


def _attributes_text(attributes: Mapping[str, Any] | None) -> str:
    if not attributes:
        return "[]"
    pairs = [f"{_key_text(key)}{_value_text(value)}}}" for key, value in attributes.items()]
    return f"[{','.join(pairs)}]"


@lru_cache(maxsize=1024)
def _key_text(key: str) -> str:
    return f'{{"key":{_quoted(str(key))},"value":'


def _value_text(value: object) -> str:
    """As `value_json`: the kinds that most attributes are, here; the others there."""
    kind = type(value)
    if kind is str:
        return f'{{"stringValue":{_quoted(cast(str, value))}}}'
    if kind is bool:
        return '{"boolValue":true}' if value else '{"boolValue":false}'
    if kind is int and _INT64_MIN <= cast(int, value) <= _INT64_MAX:
        return f'{{"intValue":"{value}"}}'
    if kind is tuple:
        return (
            f'{{"arrayValue":{{"values":[{",".join(map(_value_text, cast(tuple[object, ...], value)))}]}}}}'
        )
    return _dump(value_json(value))


def _event_text(event: Event) -> str:
    attributes = event.attributes
    if event.name == _EXCEPTION and attributes:  # whoever raised it may quote where we asked, and with what
        attributes = {
            key: without_passwords(value) if isinstance(value, str) else value
            for key, value in attributes.items()
        }
    return (
        f'{{"timeUnixNano":"{event.timestamp}","name":{_quoted(event.name)},'
        f'"attributes":{_attributes_text(attributes)}}}'
    )


def _link_text(link: Link) -> str:
    state = link.context.trace_state
    return (
        f'{{"traceId":"{link.context.trace_id:032x}","spanId":"{link.context.span_id:016x}",'
        f'"attributes":{_attributes_text(link.attributes)}'
        + (f',"traceState":{_quoted(_trace_state(state))}}}' if state else "}")
    )


def _status_text(status: Status) -> str:
    code = status.status_code.value  # the same numbers in the SDK and in OTLP
    if status.description:
        return f'{{"code":{code},"message":{_quoted(without_passwords(status.description))}}}'
    return f'{{"code":{code}}}' if code else "{}"


def _dropped(span: ReadableSpan) -> str:
    counts = (
        ("droppedAttributesCount", span.dropped_attributes),
        ("droppedEventsCount", span.dropped_events),
        ("droppedLinksCount", span.dropped_links),
    )
    return "".join(f',"{name}":{count}' for name, count in counts if count)


def _flags(context: SpanContext, parent: SpanContext | None) -> int:
    remote = _FLAG_IS_REMOTE if parent is not None and parent.is_remote else 0
    return int(context.trace_flags) | _FLAG_HAS_REMOTE | remote


def _trace_state(state: TraceState) -> str:
    return ",".join(f"{key}={value}" for key, value in state.items())


def _non_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _dump(value: Json | str) -> str:
    # ASCII: a lone surrogate in a model's output stays a legal escape, and U+2028 can't break a line.
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
