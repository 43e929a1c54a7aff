"""The two tables that hold spans, and a row of each as a span.

| table | written by | attributes |
| --- | --- | --- |
| `otel_traces` | the Collector's ClickHouse exporter (0.161) | all as text |
| `spans` | Jaeger 2's own storage (its module 1.76) | lists of keys and values, one pair of lists a type |

Both keep start and duration in nanoseconds. A duration below 0 (an inverted span, or one that never ended) stands in
the exporter's unsigned column as 2^64 more; it is read back as it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from punie.trace import semconv
from punie.trace.model import Attributes, AttributeValue, Event, Span
from punie.trace.store.otlp.values import (
    Unreadable,
    attributes_of,
    linked_traces,
    parent_id,
    span_id,
    span_kind,
    status_code,
    time_ns,
    trace_id,
)

Row = Mapping[str, Any]
_TYPES: Final = ("bool", "int", "double", "str", "complex")


@dataclass(frozen=True, slots=True)
class SpanTable:
    """A table of spans: what to select of it by our names, and how a row becomes a span.

    `exporter_columns` selects the columns that the SQL texts read, as the exporter names and types them.
    """

    name: str
    trace_id: str
    service: str
    start: str
    columns: Mapping[str, str]
    exporter_columns: str
    make_span: Callable[[Row], Span]

    def to_span(self, row: Row) -> Span:
        """The span of a row. Raises `Unreadable`, also where the table's columns are of other types than ours."""
        try:
            return self.make_span(row)
        except Unreadable:
            raise
        except (TypeError, ValueError, OverflowError) as error:
            raise Unreadable(f"a column of another type: {error}") from error


def _exporter_span(row: Row) -> Span:
    service = {semconv.SERVICE_NAME: row["service"]} if row["service"] else {}
    events = zip(row["event_times"], row["event_names"], row["event_attributes"], strict=True)
    return _span(
        row,
        row["attributes"],
        {**row["resource"], **service},
        tuple(Event(str(name), int(at), MappingProxyType(values)) for at, name, values in events),
    )


def _jaeger_span(row: Row) -> Span:
    resource = {semconv.SERVICE_NAME: row["service"], **_listed(row, "resource_")}
    events = zip(row["event_times"], row["event_names"], strict=True)
    # What an event says is in lists of lists of pairs; nothing that is computed reads it, so it is left there.
    return _span(row, _listed(row, ""), resource, tuple(Event(str(name), int(at)) for at, name in events))


def _span(row: Row, attributes: Attributes, resource: Attributes, events: tuple[Event, ...]) -> Span:
    start_ns = time_ns(row["start"], "start")
    return Span(
        trace_id=trace_id(row["trace_id"], "trace id"),
        span_id=span_id(row["span_id"], "span id"),
        parent_id=parent_id(row["parent_id"], "parent id"),
        name=str(row["name"]),
        start_ns=start_ns,
        end_ns=time_ns(start_ns + int(row["duration"]), "start + duration"),
        kind=span_kind(row["kind"]),
        attributes=MappingProxyType(dict(attributes)),
        status=status_code(row["status"]),
        status_message=str(row["status_message"]),
        events=events,
        resource=MappingProxyType(dict(resource)),
        scope=str(row["scope"]),
        linked=linked_traces(row.get("links"), row["trace_id"]),
    )


def _listed(row: Row, prefix: str) -> Attributes:
    found: dict[str, AttributeValue] = {}
    for kind in _TYPES:
        keys: Sequence[str] = row[f"{prefix}{kind}_keys"]
        for key, value in zip(keys, row[f"{prefix}{kind}_values"], strict=True):
            if kind == "complex":
                found |= _complex(str(key), str(value))
            else:
                found[str(key)] = value
    return found


def _complex(key: str, text: str) -> Attributes:
    """A list or map as OTLP's JSON under `@slice@KEY`, `@map@KEY`; bytes stay base64 text."""
    kind, _, name = key.removeprefix("@").partition("@")
    if kind == "bytes":
        return {name: text}
    try:
        return attributes_of([{"key": name, "value": json.loads(text)}])
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"attribute {name} is no JSON: {error}") from error


def _lists(prefix: str) -> dict[str, str]:
    return {
        f"{prefix}{kind}_{part}s": f"`{prefix}{kind}_attributes.{part}`"
        for kind in _TYPES
        for part in ("key", "value")
    }


def _as_exporter(prefix: str) -> str:
    """Jaeger's lists of one prefix as the map of texts that the exporter would have written."""
    keys, values = [], []
    for kind in _TYPES:
        key, value = (f"`{prefix}{kind}_attributes.{part}`" for part in ("key", "value"))
        keys.append(
            f"arrayMap(k -> replaceRegexpOne(k, '^@[a-z]+@', ''), {key})" if kind == "complex" else key
        )
        values.append(value if kind in ("str", "complex") else f"arrayMap(v -> toString(v), {value})")
    return f"mapFromArrays(arrayConcat({', '.join(keys)}), arrayConcat({', '.join(values)}))"


EXPORTER: Final = SpanTable(
    name="otel_traces",
    trace_id="TraceId",
    service="ServiceName",
    start="Timestamp",
    columns=MappingProxyType(
        {
            "trace_id": "TraceId",
            "span_id": "SpanId",
            "parent_id": "ParentSpanId",
            "name": "SpanName",
            "kind": "SpanKind",
            "start": "toUnixTimestamp64Nano(Timestamp)",
            "duration": "reinterpretAsInt64(Duration)",
            "status": "StatusCode",
            "status_message": "StatusMessage",
            "attributes": "SpanAttributes",
            "resource": "ResourceAttributes",
            "service": "ServiceName",
            "scope": "ScopeName",
            "event_times": "arrayMap(t -> toUnixTimestamp64Nano(t), `Events.Timestamp`)",
            "event_names": "`Events.Name`",
            "event_attributes": "`Events.Attributes`",
            "links": "`Links.TraceId`",
        }
    ),
    exporter_columns="TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ScopeName, Timestamp, Duration, StatusCode, "
    "SpanAttributes, ResourceAttributes, `Events.Name` AS EventNames, `Links.TraceId` AS LinkedTraces",
    make_span=_exporter_span,
)
JAEGER: Final = SpanTable(
    name="spans",
    trace_id="trace_id",
    service="service_name",
    start="start_time",
    columns=MappingProxyType(
        {
            "trace_id": "trace_id",
            "span_id": "id",
            "parent_id": "parent_span_id",
            "name": "name",
            "kind": "kind",
            "start": "toUnixTimestamp64Nano(start_time)",
            "duration": "duration",
            "status": "status_code",
            "status_message": "status_message",
            "service": "service_name",
            "scope": "scope_name",
            "event_times": "arrayMap(t -> toUnixTimestamp64Nano(t), `events.timestamp`)",
            "event_names": "`events.name`",
            "links": "`links.trace_id`",
            **_lists(""),
            **_lists("resource_"),
        }
    ),
    exporter_columns="trace_id AS TraceId, id AS SpanId, parent_span_id AS ParentSpanId, name AS SpanName, "
    "if(kind = 'server', 'Server', kind) AS SpanKind, scope_name AS ScopeName, start_time AS Timestamp, "
    "reinterpretAsUInt64(duration) AS Duration, status_code AS StatusCode, "
    f"{_as_exporter('')} AS SpanAttributes, {_as_exporter('resource_')} AS ResourceAttributes, "
    "`events.name` AS EventNames, `links.trace_id` AS LinkedTraces",
    make_span=_jaeger_span,
)
TABLES: Final = (EXPORTER, JAEGER)
