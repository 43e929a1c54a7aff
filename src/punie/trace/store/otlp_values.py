"""The values of OTLP JSON: ids, integers, enums, attributes, and the span that they make."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final, TypeVar

from punie.trace.model import NO_ATTRIBUTES, Attributes, AttributeValue, Event, Span, SpanKind, StatusCode

_HEX: Final = frozenset("0123456789abcdef")
_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8
_INT64_MAX: Final = 2**63 - 1  # what SQL engines hold; the year 2262
_Enum = TypeVar("_Enum", bound=IntEnum)


class Unreadable(ValueError):  # noqa: N818 # a fact about a record, caught where records are counted
    """A record that can't become a span; the message says why."""


def objects(value: object, name: str) -> Sequence[dict[str, Any]]:
    """A list of objects; missing is empty. Raises `Unreadable` for anything else."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Unreadable(f"{name} is no list of objects")
    return value


def read_span(raw: dict[str, Any], resource: Attributes, scope: str) -> Span:
    """The span that `raw` describes. Raises `Unreadable` if its ids or times can't be what they should be."""
    status = raw.get("status")
    status = status if isinstance(status, dict) else {}
    return Span(
        trace_id=_id(raw, "traceId", _TRACE_ID_BYTES),
        span_id=_id(raw, "spanId", _SPAN_ID_BYTES),
        parent_id=_parent_id(raw),
        name=str(raw.get("name") or ""),
        start_ns=_time(raw, "startTimeUnixNano"),
        end_ns=_time(raw, "endTimeUnixNano") if raw.get("endTimeUnixNano") else 0,
        kind=_enum(SpanKind, raw.get("kind"), "SPAN_KIND_"),
        attributes=attributes_of(raw.get("attributes")),
        status=_enum(StatusCode, status.get("code"), "STATUS_CODE_"),
        status_message=str(status.get("message") or ""),
        events=tuple(_event(event) for event in objects(raw.get("events"), "events")),
        resource=resource,
        scope=scope,
    )


def attributes_of(raw: object) -> Attributes:
    """A list of key and AnyValue as a mapping; of a repeated key the last counts."""
    found = objects(raw, "attributes")
    if not found:
        return NO_ATTRIBUTES
    return MappingProxyType({str(item.get("key")): _any_value(item.get("value")) for item in found})


def _id(raw: dict[str, Any], name: str, size: int) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"no {name}")
    text = value.lower()
    if len(text) > 2 * size or not _HEX.issuperset(text):
        text = _from_base64(value, name, size)
    if not text.strip("0"):
        raise Unreadable(f"{name} is all zeros")
    return text


def _from_base64(value: str, name: str, size: int) -> str:
    """Protobuf's own mapping to JSON writes ids as base64; OTLP forbids it, and it is met all the same."""
    try:
        data = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != size:
        raise Unreadable(f"{name} {value[:40]!r} is no id of {size} bytes, in hex or base64")
    return data.hex()


def _parent_id(raw: dict[str, Any]) -> str | None:
    value = raw.get("parentSpanId")
    if value is None or (isinstance(value, str) and not value.strip("0")):
        return None
    return _id(raw, "parentSpanId", _SPAN_ID_BYTES)


def _time(raw: dict[str, Any], name: str) -> int:
    value = raw.get(name)
    if value is None:
        raise Unreadable(f"no {name}")
    time_ns = _integer(value)
    if time_ns is None or not 0 <= time_ns <= _INT64_MAX:
        raise Unreadable(f"{name} {str(value)[:40]!r} is no time in nanoseconds")
    return time_ns


def _integer(value: object) -> int | None:
    if isinstance(value, str):
        digits = value.strip()
        return int(digits) if digits.removeprefix("-").isdecimal() and len(digits) <= 20 else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _enum(kind: type[_Enum], value: object, prefix: str) -> _Enum:
    """An enum's member by number or name; unknown ones are its zero, as protobuf's open enums have it."""
    if isinstance(value, str):
        name = value.removeprefix(prefix)
        if name in kind.__members__:
            return kind[name]
    number = _integer(value)
    return kind(number) if number in {int(member) for member in kind} else kind(0)


def _event(raw: dict[str, Any]) -> Event:
    time_ns = _integer(raw.get("timeUnixNano"))
    return Event(
        name=str(raw.get("name") or ""),
        time_ns=time_ns if time_ns is not None else 0,
        attributes=attributes_of(raw.get("attributes")),
    )


def _any_value(raw: object) -> AttributeValue:
    """An AnyValue; None for an empty one and for a type that we don't know. Bytes stay base64 text."""
    if not isinstance(raw, dict):
        return None
    for name, value in raw.items():
        match name:
            case "stringValue" | "bytesValue":
                return str(value)
            case "boolValue":
                return value if isinstance(value, bool) else str(value).lower() == "true"
            case "intValue":
                return _integer(value)
            case "doubleValue":
                return _double(value)
            case "arrayValue":
                return tuple(_any_value(item) for item in objects(_values(value), "values"))
            case "kvlistValue":
                return attributes_of(_values(value))
    return None


def _values(raw: object) -> object:
    return raw.get("values") if isinstance(raw, dict) else None


def _double(value: object) -> float | None:
    """A double; JSON has no NaN and no infinity, so protobuf writes these as strings."""
    if not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except ValueError:
        return None
