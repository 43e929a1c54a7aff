"""Lines of the journal as they leave: without content, and put together as OTLP's requests, in JSON and in protobuf."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from punie.trace.telemetry.journal.encode import attributes_json
from punie.trace.telemetry.shipping.content import ContentPolicy

if TYPE_CHECKING:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_ID_BYTES: Final = {"traceId": 16, "spanId": 8}
_STATUS_ERROR: Final = 2

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OutgoingSpan:
    """A span in OTLP's JSON, and what it stands in. `group` is equal where resource and scope are."""

    resource: Json
    scope: Json
    span: Json
    group: bytes

    @property
    def label(self) -> str:
        """What names it in a message."""
        return f"span {self.span['name']!r} (trace {self.span['traceId']}, span {self.span['spanId']})"


@dataclass(frozen=True, slots=True)
class Line:
    """The spans of one line of a journal, and how many more in it are none: the line is torn, or not OTLP/JSON."""

    spans: tuple[OutgoingSpan, ...]
    unreadable: int = 0


def read_line(line: bytes, policy: ContentPolicy) -> Line:
    """The spans of `line` as `policy` lets them leave; never raises, whatever `line` is."""
    try:
        holders = [
            (resource_spans, scope_spans)
            for resource_spans in _parse(line)["resourceSpans"]
            for scope_spans in resource_spans["scopeSpans"]
        ]
        outgoing = [_spans(resource_spans, scope_spans, policy) for resource_spans, scope_spans in holders]
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError):
        return Line((), unreadable=1)
    return Line(
        tuple(span for spans, _ in outgoing for span in spans), sum(unreadable for _, unreadable in outgoing)
    )


def json_request(spans: Sequence[OutgoingSpan]) -> Json:
    """One export of `spans`, as OTLP's JSON has it."""
    groups: dict[bytes, Json] = {}
    for one in spans:
        empty = {"resource": one.resource, "scopeSpans": [{"scope": one.scope, "spans": []}]}
        groups.setdefault(one.group, empty)["scopeSpans"][0]["spans"].append(one.span)
    return {"resourceSpans": list(groups.values())}


def protobuf_request(spans: Sequence[OutgoingSpan]) -> ExportTraceServiceRequest:
    """One export of `spans` as protobuf's message. Raises `ValueError` for a span that it can't hold."""
    from google.protobuf.json_format import ParseDict
    from google.protobuf.json_format import ParseError as NotProtobuf
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = json_request(
        [OutgoingSpan(one.resource, one.scope, _base64_ids(one.span), one.group) for one in spans]
    )
    try:
        return ParseDict(request, ExportTraceServiceRequest(), ignore_unknown_fields=True)
    except NotProtobuf as error:
        raise ValueError(str(error)) from error


def _parse(line: bytes) -> Any:  # noqa: ANN401 # any JSON
    parsed = json.loads(line)
    if b"\\ud" not in line.lower():
        return parsed
    # Protobuf's strings are UTF-8: a lone surrogate, which a model can produce, becomes U+FFFD.
    text = (
        json.dumps(parsed, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )
    return json.loads(text)


def _spans(resource_spans: Json, scope_spans: Json, policy: ContentPolicy) -> tuple[list[OutgoingSpan], int]:
    held = (resource_spans.get("resource") or {}, scope_spans.get("scope") or {})
    resource, scope, group = _holders(msgspec.json.encode(held), policy)
    spans: list[OutgoingSpan] = []
    for span in scope_spans["spans"]:
        try:
            spans.append(OutgoingSpan(resource, scope, _span(span, policy), group))
        except (KeyError, TypeError, AttributeError, ValueError):
            continue
    return spans, len(scope_spans["spans"]) - len(spans)


@lru_cache(maxsize=64)
def _holders(encoded: bytes, policy: ContentPolicy) -> tuple[Json, Json, bytes]:
    """Resource, scope and group as they leave: nearly all lines of a journal have the same."""
    resource, scope = (_stripped(holder, policy) for holder in msgspec.json.decode(encoded))
    return resource, scope, msgspec.json.encode((resource, scope))


def _span(span: Json, policy: ContentPolicy) -> Json:
    for name, size in _ID_BYTES.items():
        if len(bytes.fromhex(span[name])) != size:
            raise ValueError(f"{name} has another length than {size} bytes")
    for name in ("startTimeUnixNano", "endTimeUnixNano"):
        int(span[name])
    return _stripped(span, policy, mark=True) | {
        "name": str(span["name"]),
        "status": _status(span.get("status") or {}, policy),
        **{name: [_stripped(one, policy) for one in span.get(name) or ()] for name in ("events", "links")},
    }


def _stripped(holder: Json, policy: ContentPolicy, *, mark: bool = False) -> Json:
    attributes = policy.apply(_attributes(holder.get("attributes")), mark=mark)
    held = "attributes" in holder or attributes
    return holder | {"attributes": attributes_json(attributes)} if held else holder


def _status(status: Json, policy: ContentPolicy) -> Json:
    message = status.get("message")
    sent = policy.message(message) if message and status.get("code") == _STATUS_ERROR else None
    return {"code": status.get("code", 0)} | ({"message": sent} if sent else {})


def _attributes(pairs: Sequence[Json] | None) -> dict[str, Any]:
    return {pair["key"]: _value(pair.get("value") or {}) for pair in pairs or ()}


def _value(value: Mapping[str, Any]) -> Any:  # noqa: ANN401 # any attribute value
    for kind, content in value.items():
        match kind:
            case "intValue":
                return int(content)
            case "doubleValue":
                return float(content)  # "NaN" and "Infinity" travel as strings
            case "bytesValue":
                return base64.b64decode(content)
            case "arrayValue":
                return [_value(item) for item in content.get("values") or ()]
            case "kvlistValue":
                return _attributes(content.get("values"))
            case "stringValue" | "boolValue":
                return content
    return None


def _base64_ids(span: Json) -> Json:
    """Protobuf's own JSON has bytes in base64, OTLP's has ids in hex."""
    links = [_base64_ids(link) for link in span.get("links") or ()]
    names = [name for name in ("traceId", "spanId", "parentSpanId") if span.get(name)]
    ids = {name: base64.b64encode(bytes.fromhex(span[name])).decode() for name in names}
    return {**span, "links": links, **ids} if "links" in span else {**span, **ids}
