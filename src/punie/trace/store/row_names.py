"""Rows of a table of spans, whatever their columns are called: which of them holds what.

Columns are compared by their letters and digits alone, in small ones: `trace.trace_id`, `TraceId` and `traceId` name
one thing. Besides those of `parquet.columns`:

| what | columns | of |
| --- | --- | --- |
| ids | `trace.trace_id`, `context.trace_id`, `operation_Id`: hex, base64, numbers, UUIDs | Honeycomb, Phoenix, Azure |
| start, end | `start_timestamp`, `@timestamp`, `TimeGenerated`: text or a number | Logfire, Elasticsearch, Azure |
| duration | `duration`, `durationInNanos` (ns), `duration_ms`, `DurationMs` | OpenSearch, Honeycomb, Azure |
| attributes | `customDimensions`, `labels`, `meta`, `attributes_string` | Azure, Google, Datadog, SigNoz |
| or one a column | `attributes.NAME`, `span.attributes.NAME`; else all other columns | Elasticsearch, Honeycomb |
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from math import isnan
from types import MappingProxyType
from typing import Any, Final

from punie.trace.model import StatusCode
from punie.trace.store.otlp.values import (
    SPAN_ID_BYTES,
    TRACE_ID_BYTES,
    Unreadable,
    integer,
    status_of,
)
from punie.trace.store.parquet.columns import NAMES
from punie.trace.store.parquet.values import plain_attributes
from punie.trace.store.timestamps import required_ns

_MORE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "trace_id": "traceTraceId contextTraceId operationId",
        "span_id": "traceSpanId contextSpanId id",
        "parent_id": "traceParentId operationParentId parentRunId",
        "start": "start startTimestamp TimeGenerated",
        "end": "endTimestamp",
        "duration": "durationNano durationNanos durationInNanos",
        "duration_ms": "durationMs",
        "status": "status otelStatusCode",
        "status_message": "otelStatusMessage",
        "success": "success",
        "links": "otelLinks",
        "attributes": "customDimensions properties labels meta attributesString",
        "numbers": "metrics attributesNumber",
        "truths": "attributesBool",
        "resource": "otelResourceAttributes resourcesString",
        "service": "service cloudRoleName appRoleName",
        "scope": "otelScopeName instrumentationScope instrumentationScopeName",
    }
)
_NEEDED: Final = {"trace_id", "span_id", "name", "start"}
_ENDS: Final = frozenset({"end", "duration", "duration_ms"})
_ATTRIBUTES: Final = ("attributes", "numbers", "truths")
_OBJECTS: Final = frozenset({*_ATTRIBUTES, "resource"})
_AZURE: Final = "operation_Id"  # beside it, a `duration` is in milliseconds
_GOOGLE: Final = "labels"  # beside them, ids of spans are decimal numbers
_OPENINFERENCE_KIND: Final = "openinference.span.kind"
_OPENINFERENCE: Final = frozenset(
    {"LLM", "TOOL", "AGENT", "CHAIN", "RETRIEVER", "EMBEDDING", "RERANKER", "GUARDRAIL"}
)
_OF_COLUMNS: Final = re.compile(r"(?i)(?:span\.)?(attributes|resource)\.(?:attributes\.)?(.+)")
_CONTAINERS: Final = ("hits", "data", "results", "rows", "spans", "traces", "events")
_DEEPEST: Final = 8
_NS_PER_MILLISECOND: Final = 1_000_000
_UNIT_BY_DIGITS: Final[Mapping[int, int]] = MappingProxyType({13: 1_000_000, 16: 1_000})
_OTHER: Final = re.compile(r"[^0-9a-z]")

Raw = dict[str, Any]


def _letters(name: str) -> str:
    return _OTHER.sub("", name.lower())


_OURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{_letters(name): ours for ours, names in _MORE.items() for name in names.split()},
        **{_letters(name): ours for ours, names in NAMES.items() for name in names},
    }
)
_ALONE: Final = _OURS.keys() - {_letters(name) for names in NAMES.values() for name in names}


@lru_cache(maxsize=1_024)
def _columns(names: tuple[str, ...]) -> Mapping[str, str]:
    """The column for each of our names: of several the first one counts."""
    found: dict[str, str] = {}
    for name in names:
        ours = _OURS.get(_letters(name))
        if ours is not None:
            found.setdefault(ours, name)
    return MappingProxyType(found)


def is_row(raw: object) -> bool:
    """Whether an object has the ids, the name, the start and the end of a span."""
    found = _columns((*map(str, raw),)).keys() if isinstance(raw, dict) else set()
    return found >= _NEEDED and not _ENDS.isdisjoint(found)


def is_named_otherwise(names: Iterable[str]) -> bool:
    """Whether columns of these `names` are of spans, and some are known here alone, not to `parquet.columns`."""
    names = tuple(names)
    return is_row(dict.fromkeys(names)) and any(_letters(name) in _ALONE for name in names)


def rows_in(document: object, depth: int = 0) -> Iterator[object]:
    """The rows of a document: itself, or what its `hits`, `data`, `rows`, `spans` and so on hold."""
    if isinstance(document, list) and depth <= _DEEPEST:
        for one in document:
            yield from rows_in(one, depth + 1)
    elif isinstance(document, dict) and not is_row(document) and depth <= _DEEPEST:
        if isinstance(document.get("_source"), dict):  # of a search
            yield document["_source"]
            return
        inside = next(
            (document[key] for key in _CONTAINERS if isinstance(document.get(key), list | dict)), None
        )
        of_trace = {"traceId": document["traceId"]} if "traceId" in document else {}
        for row in (document,) if inside is None else rows_in(inside, depth + 1):
            yield {**of_trace, **row} if isinstance(row, dict) else row
    else:
        yield document


def our_row(raw: Raw) -> Raw:
    """A row under our names: ids in hex, times in nanoseconds. Raises `Unreadable` if they are none."""
    columns = _columns((*raw,))
    if "start" not in columns:
        raise Unreadable("start is missing")
    row = {ours: raw[name] for ours, name in columns.items() if _is_told(raw[name])}
    is_decimal, is_azure = _GOOGLE in raw, _AZURE in raw
    row["trace_id"] = _id(row.get("trace_id"), TRACE_ID_BYTES, is_decimal=False)
    row["span_id"] = _id(row.get("span_id"), SPAN_ID_BYTES, is_decimal=is_decimal)
    parent = _id(row.get("parent_id") or None, SPAN_ID_BYTES, is_decimal=is_decimal)
    row["parent_id"] = None if is_azure and row.get("parent_id") == row.get("trace_id") else parent
    unit = 1 if "ns" in columns["start"] or "nano" in columns["start"].lower() else _unit_of(row.get("start"))
    row["start"] = required_ns(row.get("start"), "start") * unit
    if "end" in columns:
        row["end"] = required_ns(row["end"], "end") * unit if row.get("end") else 0
    else:
        row["end"] = row["start"] + _duration_ns(row, in_ms="duration" if is_azure else "duration_ms")
    row["status"], row["status_message"] = _status(row)
    if isinstance(row.get("scope"), Mapping):
        row["scope"] = row["scope"].get("name")
    held = row.get("resource")
    if isinstance(held, str) and not held.lstrip().startswith("{"):  # Datadog's: what was asked for
        row["name"], held = held, None
    found = {
        "attributes": {
            key: value for name in _ATTRIBUTES for key, value in plain_attributes(row.get(name)).items()
        },
        "resource": dict(plain_attributes(held.get("attributes", held) if isinstance(held, dict) else held)),
    }
    for (kind, key), value in _one_a_column(raw, columns):
        found[kind].setdefault(key, value)
    if str(row.get("kind")) in _OPENINFERENCE:  # Phoenix'
        found["attributes"].setdefault(_OPENINFERENCE_KIND, row["kind"])
    return {**row, **found, "name": row.get("name") or ""}


def _one_a_column(raw: Raw, columns: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], Any]]:
    """Attributes that have a column each: those that say so, and all others where none holds them together."""
    taken = {*columns.values()}
    rest = [(name, value) for name, value in raw.items() if name not in taken and _is_told(value)]
    prefixed = [(found, value) for name, value in rest if (found := _OF_COLUMNS.fullmatch(name))]
    for found, value in prefixed:
        yield (found[1].lower(), found[2].replace("@", ".")), value
    if not prefixed and _OBJECTS.isdisjoint(columns):
        yield from ((("attributes", name), value) for name, value in rest)


def _is_told(value: object) -> bool:
    """Whether a cell says anything: pandas writes NaN into a column of numbers where there is none."""
    return value not in (None, "") and not (isinstance(value, float) and isnan(value))


def _id(value: object, size: int, *, is_decimal: bool) -> object:
    number = integer(value) if is_decimal or not isinstance(value, str) else None
    if number is not None:
        return f"{number % 2 ** (8 * size):0{2 * size}x}"
    text = value.removeprefix("0x").replace("-", "") if isinstance(value, str) else value
    is_uuid = isinstance(text, str) and size == SPAN_ID_BYTES and len(text) == 2 * TRACE_ID_BYTES
    if not is_uuid:
        return text
    from hashlib import sha256

    return sha256(str(text).encode()).hexdigest()[: 2 * size]


def _unit_of(time: object) -> int:
    """What a whole number counts since 1970 where its name doesn't say, in nanoseconds: told by its digits, today."""
    return _UNIT_BY_DIGITS.get(len(str(integer(time) or "")), 1)


def _duration_ns(row: Raw, *, in_ms: str) -> int:
    told, unit = (row[in_ms], _NS_PER_MILLISECOND) if in_ms in row else (row.get("duration"), 1)
    whole = integer(told)
    if whole is not None:
        return whole * unit
    try:
        return round(float(str(told)) * unit)
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"duration {str(told)[:40]!r} is no number") from error


def _status(row: Raw) -> tuple[StatusCode, str]:
    code, message = status_of({"status": row.get("status")})
    failed = str(row.get("success", "true")).lower() == "false"
    return (StatusCode.ERROR if failed else code), message or str(row.get("status_message") or "")
