"""Rows of a table of spans, whatever their columns are called: which of them holds what.

Columns are compared by their letters and digits alone, in small ones: `trace.trace_id`, `TraceId` and `traceId` name
one thing. Besides those of `parquet.columns`:

| what | columns | of |
| --- | --- | --- |
| ids | `trace.trace_id`, `context.trace_id`, `operation_Id`: hex, base64, numbers, UUIDs | Honeycomb, Phoenix, Azure |
| start, end | `start_timestamp`, `@timestamp`, `timestamp [UTC]`: text or a number | Logfire, Elasticsearch, Azure |
| duration | `duration`, `durationInNanos` (ns), `duration_ms`, `span.duration.us` | Honeycomb, OpenSearch, Elastic |
| kind | `type`, `span_kind`: a word of theirs, or OTLP's | Langfuse, Opik, Datadog, Phoenix |
| counts, first token | `usage`, `usageDetails`; `first_token_time`, `completionStartTime` | Opik, Langfuse, LangSmith |
| attributes | `customDimensions`, `labels`, `meta`, `attributes_string` | Azure, Google, Datadog, SigNoz |
| or one a column | `attributes.NAME`, `span.attributes.NAME`; else all other columns | Elasticsearch, Honeycomb |
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from math import isnan
from types import MappingProxyType
from typing import Any, Final

from punie.trace import semconv
from punie.trace.model import Attributes, AttributeValue, SpanKind, StatusCode
from punie.trace.store.otlp.values import (
    SPAN_ID_BYTES,
    TRACE_ID_BYTES,
    Unreadable,
    integer,
    span_kind,
    status_of,
)
from punie.trace.store.parquet.columns import NAMES
from punie.trace.store.parquet.values import listed, plain_attributes
from punie.trace.store.timestamps import required_ns, timestamp_ns

_MORE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "trace_id": "traceTraceId contextTraceId operationId",
        "span_id": "traceSpanId contextSpanId id",
        "parent_id": "traceParentId operationParentId parentRunId parentObservationId",
        "name": "resourceName transactionName",
        "start": "start startTimestamp startMs timestampUs timestampUtc TimeGenerated TimeGeneratedUtc",
        "end": "endTimestamp",
        "duration": "durationNano durationNanos durationInNanos",
        "duration_ms": "durationMs",
        "duration_us": "spanDurationUs transactionDurationUs",
        "type": "type",
        "usage": "usage usageDetails",
        "first_token": "firstTokenTime completionStartTime",
        "status": "status otelStatusCode",
        "status_message": "otelStatusMessage",
        "success": "success",
        "outcome": "eventOutcome level",
        "links": "otelLinks",
        "attributes": "customDimensions properties labels meta attributesString custom",
        "numbers": "metrics numericLabels attributesNumber",
        "truths": "attributesBool",
        "resource": "otelResourceAttributes resourcesString",
        "service": "service cloudRoleName appRoleName",
        "scope": "otelScopeName instrumentationScope instrumentationScopeName",
    }
)
_NEEDED: Final = {"trace_id", "span_id", "name", "start"}
_UNITS: Final[Mapping[str, int]] = MappingProxyType(
    {"duration_ms": 1_000_000, "duration_us": 1_000, "duration": 1}
)
_ENDS: Final = frozenset({"end", *_UNITS})
_ATTRIBUTES: Final = ("attributes", "numbers", "truths")
_OBJECTS: Final = frozenset({*_ATTRIBUTES, "resource"})
_AZURE: Final = "operation_Id"  # beside it, a `duration` is in milliseconds
_DECIMAL: Final = (
    {"labels", "spanId"},
    {"resource_name", "span_id"},
    {"ml_app", "span_id"},
)  # Google, Datadog
_USAGE: Final = "gen_ai.usage"
_OPENINFERENCE_KIND: Final = "openinference.span.kind"
_OPENINFERENCE: Final = frozenset(
    {"LLM", "TOOL", "AGENT", "CHAIN", "RETRIEVER", "EMBEDDING", "RERANKER", "GUARDRAIL"}
)
_OF_COLUMNS: Final = re.compile(r"(?i)(?:span\.)?(attributes|resource)\.(?:attributes\.)?(.+)")
_NS_PER_MILLISECOND: Final = 1_000_000
_UNIT_BY_DIGITS: Final[Mapping[int, int]] = MappingProxyType({10: 1_000_000_000, 13: 1_000_000, 16: 1_000})
_LONG_IDS: Final = frozenset(
    {24, 32}
)  # digits of ids of spans that are no OTLP's: of OpenAI's Agents SDK, of UUIDs
_NO_PARENT: Final = ("undefined", "null")  # as JavaScript prints it; what is compared may have no hash
_KIND: Final = "span.type"
_PARENTS: Final = "parent_run_ids"  # LangSmith's, from the root down, where a run has no `parent_run_id`
_DATADOG_LINKS: Final = "_dd.span_links"
_SPAN_DIGITS: Final = 2 * SPAN_ID_BYTES
_FAILED: Final = frozenset({"failure", "error"})
_NS_PER_SECOND: Final = 1_000_000_000
_OTHER: Final = re.compile(r"[^0-9a-z]")
_WORDS_OF_IDS: Final = re.compile(r"[0-9A-Fa-f-]{16,}")

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


def our_row(raw: Raw) -> Raw:
    """A row under our names: ids in hex, times in nanoseconds. Raises `Unreadable` if they are none."""
    columns = _columns((*raw,))
    if "start" not in columns:
        raise Unreadable("start is missing")
    row = {ours: raw[name] for ours, name in columns.items() if _is_set(raw[name])}
    is_decimal, is_azure = any(raw.keys() >= names for names in _DECIMAL), _AZURE in raw
    row["trace_id"] = _id(row.get("trace_id"), TRACE_ID_BYTES, is_decimal=False)
    row["span_id"] = _id(row.get("span_id"), SPAN_ID_BYTES, is_decimal=is_decimal)
    written = row.get("parent_id") or next(reversed(_listed_parents(raw)), None)
    parent = None if written in _NO_PARENT else _id(written, SPAN_ID_BYTES, is_decimal=is_decimal)
    row["parent_id"] = None if is_azure and row.get("parent_id") == row.get("trace_id") else parent
    row["start"] = _at_ns(row.get("start"), "start", columns)
    if "end" in columns:
        row["end"] = _at_ns(row["end"], "end", columns) if row.get("end") else 0
    else:
        row["end"] = row["start"] + _duration_ns(row, is_azure=is_azure)
    row["status"], row["status_message"] = _status(row)
    if "links" not in row:
        row["links"] = _links_of_datadog(row)
    if isinstance(row.get("scope"), Mapping):
        row["scope"] = row["scope"].get("name")
    held = row.get("resource")
    if isinstance(held, str) and not held.lstrip().startswith("{"):  # Datadog's: what was asked for
        row["name"], held = held, None
    found = {
        "attributes": {
            key: value for name in _ATTRIBUTES for key, value in _spread(plain_attributes(row.get(name)))
        },
        "resource": dict(plain_attributes(held.get("attributes", held) if isinstance(held, dict) else held)),
    }
    for (kind, key), value in _one_a_column(raw, columns):
        found[kind].setdefault(key, value)
    for key, value in _attributes_of_columns(row):
        found["attributes"].setdefault(key, value)
    return {**row, **found, "name": row.get("name") or ""}


def _listed_parents(raw: Raw) -> Sequence[object]:
    """The ids of all parents, the direct one last; in CSV they are JSON's or Python's text."""
    written = raw.get(_PARENTS)
    if isinstance(written, str):
        return _WORDS_OF_IDS.findall(written)
    return written if isinstance(written, list) else ()


def _links_of_datadog(row: Raw) -> list[object]:
    """Links that are JSON text in the attributes, by the lower half of the ids: spans have no more of theirs."""
    attributes = row.get("attributes")
    links = listed(attributes.get(_DATADOG_LINKS)) if isinstance(attributes, Mapping) else ()
    ids = (str(link.get("trace_id")) for link in links if isinstance(link, Mapping))
    return [one[-_SPAN_DIGITS:].rjust(2 * _SPAN_DIGITS, "0") for one in ids]


def _attributes_of_columns(row: Raw) -> Iterator[tuple[str, AttributeValue]]:
    """What columns of their own report a model's call, as attributes; `row` is under our names."""
    kind = row.get("kind", row.get("type"))
    if str(kind) in _OPENINFERENCE:  # Phoenix'
        yield _OPENINFERENCE_KIND, str(kind)
    elif isinstance(kind, str) and span_kind(kind) is SpanKind.UNSPECIFIED:
        yield _KIND, kind
    if row.get("usage"):
        yield (
            _USAGE,
            row["usage"] if isinstance(row["usage"], str) else plain_attributes(row["usage"], "usage"),
        )
    first_ns = timestamp_ns(row.get("first_token"))
    if first_ns is not None:
        yield semconv.TIME_TO_FIRST_CHUNK[0], (first_ns - row["start"]) / _NS_PER_SECOND


@lru_cache(maxsize=1)
def _known_names() -> tuple[frozenset[str], Mapping[str, str]]:
    """The words before the first point of names that are known; these names by how they are without points."""
    names = [name for name in semconv.TABLE.types if "." in name]
    spaces = frozenset(name.partition(".")[0] for name in names)
    return spaces, MappingProxyType({name.replace(".", "_"): name for name in reversed(names)})


def _spread(attributes: Attributes, before: str = "") -> Iterator[tuple[str, AttributeValue]]:
    """Attributes by their full names: Datadog nests them, Elastic APM writes `_` for `.` in them."""
    spaces, written = _known_names()
    for key, value in attributes.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping) and (before or key in spaces):
            yield from _spread(value, f"{name}.")
        else:
            yield written.get(name, name), value


def _one_a_column(raw: Raw, columns: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], Any]]:
    """Attributes that have a column each: those that say so, and all others where none holds them together."""
    taken = {*columns.values()}
    rest = [(name, value) for name, value in raw.items() if name not in taken and _is_set(value)]
    prefixed = [(found, value) for name, value in rest if (found := _OF_COLUMNS.fullmatch(name))]
    for found, value in prefixed:
        yield (found[1].lower(), found[2].replace("@", ".")), value
    if not prefixed and _OBJECTS.isdisjoint(columns):
        yield from ((("attributes", name), value) for name, value in rest)


def _is_set(value: object) -> bool:
    """Whether a cell says anything: pandas writes NaN into a column of numbers where there is none."""
    return value not in (None, "") and not (isinstance(value, float) and isnan(value))


def _id(value: object, size: int, *, is_decimal: bool) -> object:
    number = integer(value) if is_decimal or not isinstance(value, str) else None
    if number is not None:
        return f"{number % 2 ** (8 * size):0{2 * size}x}"
    text = value.removeprefix("0x").replace("-", "") if isinstance(value, str) else value
    is_longer = isinstance(text, str) and size == SPAN_ID_BYTES and len(text) in _LONG_IDS
    if not is_longer:
        return text
    from hashlib import sha256

    return sha256(str(text).encode()).hexdigest()[: 2 * size]


def _unit_of(time: object) -> int:
    """What a whole number counts since 1970 where its name doesn't say, in nanoseconds: by its digits, today."""
    return _UNIT_BY_DIGITS.get(len(str(integer(time) or "")), 1)


def _at_ns(value: object, name: str, columns: Mapping[str, str]) -> int:
    column = columns[name].lower()
    return required_ns(value, name) * (1 if "ns" in column or "nano" in column else _unit_of(value))


def _duration_ns(row: Raw, *, is_azure: bool) -> int:
    column = next((name for name in _UNITS if name in row), "duration")
    written, unit = row.get(column), _NS_PER_MILLISECOND if is_azure else _UNITS[column]
    whole = integer(written)
    if whole is not None:
        return whole * unit
    try:
        return round(float(str(written)) * unit)
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"duration {str(written)[:40]!r} is no number") from error


def _status(row: Raw) -> tuple[StatusCode, str]:
    code, message = status_of({"status": row.get("status")})
    failed = str(row.get("success", "true")).lower() == "false" or str(row.get("outcome")).lower() in _FAILED
    return (StatusCode.ERROR if failed else code), message or str(row.get("status_message") or "")
