"""OTLP protobuf as spans: an export request or TracesData, which are the same on the wire, alone or in frames.

Each ResourceSpans is decoded for itself, so a torn or damaged one costs only its own spans.
Source: https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from punie.trace.model import NO_ATTRIBUTES, Attributes, AttributeValue, Event, Span, SpanSet
from punie.trace.store.files.place import Place
from punie.trace.store.gathering import SpanGatherer
from punie.trace.store.otlp.losses import note_dropped
from punie.trace.store.otlp.values import (
    Unreadable,
    linked_traces,
    parent_id,
    span_id,
    span_kind,
    status_code,
    time_ns,
    trace_id,
)
from punie.trace.store.source import Source

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1 import common_pb2
    from opentelemetry.proto.trace.v1 import trace_pb2

_TAG: Final = 0x0A  # field 1, with a length: resource_spans
_RESOURCE_SPANS: Final = 1
_LIBRARY_SPANS: Final = 1000
_WIRE_TYPES: Final = 8
_OF_VARINT: Final = 0
_OF_LENGTH: Final = 2
_FIXED_BYTES: Final = {1: 8, 5: 4}  # by wire type
_TEXT: Final = re.compile(rb"[\t\n\r\x20-\x7e]{40}|[\t\n\r\x20-\x7e]+\Z")
_VARINT_MORE: Final = 0x80
_LONGEST_VARINT: Final = 10


def recognises(place: Place) -> bool:
    """Whether the file starts as TracesData does; text behind an empty line starts with the same byte."""
    if not place.is_file or place.lines or not place.unpacked.messages:
        return False
    first = place.unpacked.messages[0]
    is_tagged = first[:1] == bytes((_TAG,)) and bool(first.strip())
    return is_tagged and (_TEXT.match(first) is None or _is_whole(first))


def read(place: Place) -> SpanSet:
    """The spans of a file that is recognised; a record's line is the number of its message."""
    into = SpanGatherer(place.text, unreadable=list(place.torn))
    for number, message in enumerate(place.unpacked.messages, start=1):
        try:
            for index, part in enumerate(_parts(message)):
                _read_resource(part, f"resource_spans[{index}]", number, into)
        except Unreadable as error:
            into.refuse(number, str(error))
    return into.result()


OTLP_PROTOBUF: Final = Source("OTLP protobuf", recognises, read)


def _read_resource(part: bytes, where: str, number: int, into: SpanGatherer) -> None:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.trace.v1 import trace_pb2

    try:
        found = trace_pb2.ResourceSpans.FromString(part)
        # Before OTLP 0.15 the same message stood in another field, under another name.
        of_libraries = [content for field, content in _fields(part) if field == _LIBRARY_SPANS]
    except (DecodeError, Unreadable) as error:
        into.refuse(number, f"{where}: damaged protobuf: {error}")
        return
    resource = _attributes(found.resource.attributes)
    for i, of_scope in enumerate(found.scope_spans):
        _read_scope(of_scope, resource, f"{where}.scope_spans[{i}]", number, into)
    for i, content in enumerate(of_libraries):
        within = f"{where}.instrumentation_library_spans[{i}]"
        try:
            of_library = trace_pb2.ScopeSpans.FromString(content)
        except DecodeError as error:
            into.refuse(number, f"{within}: damaged protobuf: {error}")
        else:
            _read_scope(of_library, resource, within, number, into)


def _read_scope(
    of_scope: trace_pb2.ScopeSpans, resource: Attributes, where: str, number: int, into: SpanGatherer
) -> None:
    for index, raw in enumerate(of_scope.spans):
        into.take(number, f"{where}.spans[{index}]", partial(_span, raw, resource, of_scope.scope.name))
        note_dropped(into, raw.dropped_attributes_count, raw.dropped_events_count + raw.dropped_links_count)


def _parts(message: bytes) -> Iterator[bytes]:
    """The bytes of each ResourceSpans. Raises `Unreadable` where the message is torn or no protobuf."""
    return (content for field, content in _fields(message) if field == _RESOURCE_SPANS)


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The number and the bytes of each field with a length; others are no messages, and are passed over.

    Raises `Unreadable` where the message is torn or no protobuf.
    """
    at = 0
    while at < len(message):
        tag, start = _varint(message, at)
        field, wire_type = divmod(tag, _WIRE_TYPES)
        if wire_type == _OF_LENGTH:
            size, start = _varint(message, start)
        elif wire_type == _OF_VARINT:
            size = _varint(message, start)[1] - start
        elif wire_type in _FIXED_BYTES:
            size = _FIXED_BYTES[wire_type]
        else:
            field = 0
        if not field:
            raise Unreadable(f"no TracesData: no field of protobuf at byte {at}")
        if start + size > len(message):
            raise Unreadable(
                f"torn message at byte {at}: {size} bytes announced, {len(message) - start} there"
            )
        if wire_type == _OF_LENGTH:
            yield field, message[start : start + size]
        at = start + size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number that starts at `at`, and where it ends."""
    value = 0
    for place, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        value |= (byte & ~_VARINT_MORE) << (7 * place)
        if byte < _VARINT_MORE:
            return value, at + place + 1
    raise Unreadable(f"torn message at byte {at}: it ends in a length")


def _is_whole(message: bytes) -> bool:
    try:
        return all(isinstance(part, bytes) for part in _parts(message))
    except Unreadable:
        return False


def _span(raw: trace_pb2.Span, resource: Attributes, scope: str) -> Span:
    return Span(
        trace_id=trace_id(raw.trace_id.hex(), "trace_id"),
        span_id=span_id(raw.span_id.hex(), "span_id"),
        parent_id=parent_id(raw.parent_span_id.hex(), "parent_span_id"),
        name=raw.name,
        start_ns=time_ns(raw.start_time_unix_nano, "start_time_unix_nano"),
        end_ns=time_ns(raw.end_time_unix_nano, "end_time_unix_nano"),
        kind=span_kind(int(raw.kind)),
        attributes=_attributes(raw.attributes),
        status=status_code(int(raw.status.code)),
        status_message=raw.status.message,
        events=tuple(
            Event(event.name, event.time_unix_nano, _attributes(event.attributes)) for event in raw.events
        ),
        resource=resource,
        scope=scope,
        linked=linked_traces([link.trace_id for link in raw.links], raw.trace_id.hex()),
    )


def _attributes(pairs: Iterable[common_pb2.KeyValue]) -> Attributes:
    found = {pair.key: _value(pair.value) for pair in pairs}
    return MappingProxyType(found) if found else NO_ATTRIBUTES


def _value(value: common_pb2.AnyValue) -> AttributeValue:
    """An AnyValue; None for an empty one and for a type that we don't know. Bytes become base64, as in OTLP JSON."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "int_value":
            return value.int_value
        case "double_value":
            return value.double_value
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode("ascii")
        case "array_value":
            return tuple(_value(item) for item in value.array_value.values)
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
    return None
