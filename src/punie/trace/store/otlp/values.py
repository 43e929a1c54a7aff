"""The values of OTLP JSON: ids, integers, enums, attributes, and the span that they make.

Other readers share the ids, times and enums: what is refused in one format is refused in all.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final, TypeVar

from punie.trace.model import NO_ATTRIBUTES, Attributes, AttributeValue, Event, Span, SpanKind, StatusCode

_HEX: Final = frozenset("0123456789abcdef")
TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8
INT64_MAX: Final = 2**63 - 1  # what SQL engines hold; the year 2262
_UNSIGNED: Final = 2**64
LONGEST_NUMBER: Final = 20  # digits of a 64-bit integer, with its sign
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_Enum = TypeVar("_Enum", bound=IntEnum)


class Unreadable(ValueError):  # noqa: N818 # a fact about a record, caught where records are counted
    """A record that can't become a span; the message says why."""


class TimeUnit(IntEnum):
    """What a format counts time in; its value in nanoseconds."""

    NANOSECONDS = 1
    MICROSECONDS = 1_000


def objects(value: object, name: str) -> Sequence[dict[str, Any]]:
    """A list of objects; missing is empty. Raises `Unreadable` for anything else."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Unreadable(f"{name} is no list of objects")
    return value


def read_span(raw: dict[str, Any], resource: Attributes, scope: str) -> Span:
    """The span that `raw` describes. Raises `Unreadable` if its ids or times can't be what they should be."""
    status, message = status_of(raw)
    return Span(
        trace_id=trace_id(raw.get("traceId"), "traceId"),
        span_id=span_id(raw.get("spanId"), "spanId"),
        parent_id=parent_id(raw.get("parentSpanId"), "parentSpanId"),
        name=str(raw.get("name") or ""),
        start_ns=time_ns(raw.get("startTimeUnixNano"), "startTimeUnixNano"),
        end_ns=time_ns(raw.get("endTimeUnixNano") or 0, "endTimeUnixNano"),
        kind=span_kind(raw.get("kind")),
        attributes=attributes_of(raw.get("attributes")),
        status=status,
        status_message=message,
        events=tuple(event_of(event) for event in objects(raw.get("events"), "events")),
        resource=resource,
        scope=scope,
        linked=linked_traces(raw.get("links"), raw["traceId"]),
    )


def status_of(raw: dict[str, Any]) -> tuple[StatusCode, str]:
    """A span's status and its message: an object, as OTLP has it, or the code alone, as others write it."""
    status = raw.get("status", raw.get("status_code", raw.get("statusCode")))
    if not isinstance(status, dict):
        return status_code(status), ""
    code = next((status[name] for name in ("code", "status_code", "statusCode") if name in status), None)
    return status_code(code), str(status.get("message") or status.get("description") or "")


def attributes_of(raw: object) -> Attributes:
    """A list of key and AnyValue, or an object, as a mapping; of a repeated key the last counts."""
    if isinstance(raw, dict):
        return {key: any_value(value) for key, value in raw.items()}
    found = objects(raw, "attributes")
    if not found:
        return NO_ATTRIBUTES
    return {str(item.get("key")): any_value(item.get("value")) for item in found}


def array_in(text: str) -> AttributeValue:
    """The array of plain values that `text` writes as JSON, as Jaeger keeps arrays; `text` itself if it is none."""
    if not (text.startswith("[") and text.endswith("]")):
        return text
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return tuple(found) if all(isinstance(item, str | bool | int | float) for item in found) else text


def trace_id(value: object, name: str) -> str:
    """An id of 16 bytes as 32 lower-case hex digits. Raises `Unreadable`, with the field's `name`, if it is none."""
    return _id(value, name, TRACE_ID_BYTES)


def span_id(value: object, name: str) -> str:
    """As `trace_id`, for 8 bytes and 16 digits."""
    return _id(value, name, SPAN_ID_BYTES)


def linked_traces(links: object, own: object) -> tuple[str, ...]:
    """The traces, but for its `own`, that a span's links lead to: ids, or objects that have one.

    What has no id leads nowhere, and is left out.
    """
    if not isinstance(links, list | tuple) or not links:
        return ()
    found: dict[str, None] = {}
    for link in links:
        try:
            found[trace_id(_linked(link), "trace id of a link")] = None
        except Unreadable:
            continue
    found.pop(trace_id(_linked(own), "trace id"), None)
    return tuple(found)


def _linked(link: object) -> object:
    if isinstance(link, dict):
        context = link.get("context", link)
        names = context if isinstance(context, dict) else {}
        return next((names[name] for name in names if name.lower().replace("_", "") == "traceid"), None)
    return link.hex() if isinstance(link, bytes) else link


def parent_id(value: object, name: str) -> str | None:
    """As `span_id`; missing, empty and all zeros mean a root."""
    if value is None or value == "":
        return None
    text = _hex(value, name, SPAN_ID_BYTES)
    return text if text.strip("0") else None


def _id(value: object, name: str, size: int) -> str:
    text = _hex(value, name, size)
    if not text.strip("0"):
        raise Unreadable(f"{name} is all zeros")
    return text


def _hex(value: object, name: str, size: int) -> str:
    """Hex of any case, to its full length (who leaves out leading zeros means the same id), or base64."""
    if not isinstance(value, str) or not value:
        raise Unreadable(f"no {name}")
    text = value.lower()
    if len(text) > 2 * size or not _HEX.issuperset(text):
        text = _from_base64(value, name, size)
    return text.rjust(2 * size, "0")


def _from_base64(value: str, name: str, size: int) -> str:
    """Protobuf's own mapping to JSON writes ids as base64; OTLP forbids it, and it is met all the same."""
    try:
        padded = value + "=" * (-len(value) % 4)
        data = base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != size:
        raise Unreadable(f"{name} {value[:40]!r} is no id of {size} bytes, in hex or base64")
    return data.hex()


def time_ns(value: object, name: str, unit: TimeUnit = TimeUnit.NANOSECONDS) -> int:
    """A time as nanoseconds. Raises `Unreadable`, with the field's `name`, if it is none.

    What an unsigned field holds that nobody set (2^64 - 1) is the last time that there is: the analysis names it.
    """
    if value is None:
        raise Unreadable(f"no {name}")
    count = integer(value)
    if count is None or not 0 <= count * unit < _UNSIGNED:
        raise Unreadable(f"{name} {str(value)[:40]!r} is no time in {unit.name.lower()}")
    return min(count * unit, INT64_MAX)


def integer(value: object) -> int | None:
    """A whole number in any of JSON's notations, as a number or as text; None for anything else.

    With a point or an exponent it is as exact as a double: to 256 ns where times of this century are meant.
    """
    if isinstance(value, str):
        digits = value.strip()
        if digits.removeprefix("-").isdecimal():
            return int(digits) if len(digits) <= LONGEST_NUMBER else None
        value = float(digits) if _NUMBER.fullmatch(digits) else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def span_kind(value: object) -> SpanKind:
    """A span's kind by number or name."""
    return _enum(SpanKind, value)


def status_code(value: object) -> StatusCode:
    """A status by number or name."""
    return _enum(StatusCode, value)


def _enum(kind: type[_Enum], value: object) -> _Enum:
    """An enum's member by number or name, whatever stands before it (`SPAN_KIND_CLIENT`, `StatusCode.ERROR`).

    Unknown ones are its zero, as protobuf's open enums have it.
    """
    if isinstance(value, str):
        name = re.split(r"[._]", value.strip().upper())[-1]
        if name in kind.__members__:
            return kind[name]
    number = integer(value)
    return kind(number) if number in {int(member) for member in kind} else kind(0)


def event_of(raw: dict[str, Any]) -> Event:
    """An event; one without a time that can be read is at 0."""
    return Event(
        name=str(raw.get("name") or ""),
        time_ns=integer(raw.get("timeUnixNano")) or 0,
        attributes=attributes_of(raw.get("attributes")),
    )


def any_value(raw: object) -> AttributeValue:
    """An AnyValue, or a bare value in its place; None for an empty one and an unknown type. Bytes stay base64."""
    if isinstance(raw, list):
        return tuple(any_value(item) for item in raw)
    if not isinstance(raw, dict):
        return raw if isinstance(raw, str | bool | int | float) else None
    for name, read in _READERS.items():
        if raw.get(name) is not None:
            return read(raw[name])
    return None


def _truth(value: object) -> bool:
    return str(value).lower() in ("true", "1")


def _array(value: object) -> AttributeValue:
    return tuple(any_value(item) for item in objects(_values(value), "values"))


def _map(value: object) -> AttributeValue:
    return attributes_of(_values(value))


def _values(raw: object) -> object:
    return raw.get("values") if isinstance(raw, dict) else None


def _double(value: object) -> float | None:
    """A double; JSON has no NaN and no infinity, so protobuf writes these as strings."""
    if not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


# By type, in the order in which they count should an AnyValue have several.
_READERS: Final[Mapping[str, Callable[[object], AttributeValue]]] = MappingProxyType(
    {
        "stringValue": str,
        "intValue": integer,
        "doubleValue": _double,
        "boolValue": _truth,
        "arrayValue": _array,
        "kvlistValue": _map,
        "bytesValue": str,
    }
)
