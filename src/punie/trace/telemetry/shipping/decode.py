"""A line of the journal back into spans that an exporter can send."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from punie.trace.telemetry.shipping.content import ContentPolicy

_FLAG_IS_REMOTE: Final = 0x200
_TRACE_FLAGS: Final = 0xFF

Json = dict[str, Any]


class LineDecoder:
    """Decodes OTLP/JSON lines; `policy` says what becomes of content."""

    def __init__(self, policy: ContentPolicy) -> None:
        self._policy = policy
        self._resources: dict[str, Resource] = {}

    def decode(self, line: bytes) -> list[ReadableSpan]:
        """The spans of one line. Raises ValueError if it isn't OTLP/JSON."""
        try:
            return [
                self._span(span, self._resource(resource_spans), _scope(scope_spans))
                for resource_spans in json.loads(line)["resourceSpans"]
                for scope_spans in resource_spans["scopeSpans"]
                for span in scope_spans["spans"]
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not OTLP/JSON: {type(error).__name__}: {error}") from error

    def _resource(self, resource_spans: Json) -> Resource:
        found = resource_spans.get("resource") or {}
        key = json.dumps(found, sort_keys=True)
        if key not in self._resources:
            self._resources[key] = Resource(_attributes(found.get("attributes")))
        return self._resources[key]

    def _span(self, span: Json, resource: Resource, scope: InstrumentationScope) -> ReadableSpan:
        status = span.get("status") or {}
        return ReadableSpan(
            name=_text(span["name"]),
            context=_context(span, span["spanId"]),
            parent=_parent(span),
            resource=resource,
            attributes=self._policy.apply(_attributes(span.get("attributes"))),
            events=[self._event(event) for event in span.get("events") or ()],
            links=[self._link(link) for link in span.get("links") or ()],
            kind=SpanKind(max(int(span.get("kind", 1)) - 1, 0)),
            status=self._status(status),
            start_time=int(span["startTimeUnixNano"]),
            end_time=int(span["endTimeUnixNano"]),
            instrumentation_scope=scope,
        )

    def _status(self, status: Json) -> Status:
        code = StatusCode(int(status.get("code", 0)))
        # The SDK keeps a description for errors only, and warns about any other.
        message = status.get("message") if code is StatusCode.ERROR else None
        return Status(code, self._policy.message(_text(message)) if message else None)

    def _event(self, event: Json) -> Event:
        attributes = self._policy.apply(_attributes(event.get("attributes")), mark=False)
        return Event(_text(event["name"]), attributes, int(event["timeUnixNano"]))

    def _link(self, link: Json) -> Link:
        attributes = self._policy.apply(_attributes(link.get("attributes")), mark=False)
        return Link(_context(link, link["spanId"]), attributes)


def _scope(scope_spans: Json) -> InstrumentationScope:
    scope = scope_spans.get("scope") or {}
    return InstrumentationScope(
        name=scope.get("name", ""),
        version=scope.get("version") or None,
        attributes=_attributes(scope.get("attributes")) or None,
    )


def _context(holder: Json, span_id: str, *, remote: bool = False) -> SpanContext:
    return SpanContext(
        trace_id=int(holder["traceId"], 16),
        span_id=int(span_id, 16),
        is_remote=remote,
        trace_flags=TraceFlags(int(holder.get("flags", 1)) & _TRACE_FLAGS),
        trace_state=_trace_state(holder.get("traceState") or ""),
    )


def _parent(span: Json) -> SpanContext | None:
    parent_id = span.get("parentSpanId")
    if not parent_id:
        return None
    return _context(span, parent_id, remote=bool(int(span.get("flags", 0)) & _FLAG_IS_REMOTE))


def _trace_state(text: str) -> TraceState:
    return TraceState.from_header([text]) if text else TraceState()


def _attributes(pairs: list[Json] | None) -> dict[str, Any]:
    return {_text(pair["key"]): _value(pair.get("value") or {}) for pair in pairs or ()}


def _value(value: Mapping[str, Any]) -> Any:  # noqa: ANN401 # any attribute value
    for kind, content in value.items():
        match kind:
            case "stringValue":
                return _text(content)
            case "intValue":
                return int(content)
            case "doubleValue":
                return float(content)  # "NaN" and "Infinity" travel as strings
            case "boolValue":
                return bool(content)
            case "bytesValue":
                return base64.b64decode(content)
            case "arrayValue":
                return [_value(item) for item in content.get("values") or ()]
            case "kvlistValue":
                return _attributes(content.get("values"))
    return None


def _text(text: str) -> str:
    """Protobuf's strings are UTF-8: a lone surrogate, which a model can produce, becomes U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
