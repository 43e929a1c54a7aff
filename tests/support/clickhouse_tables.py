"""The two tables of spans, with the columns and types of their writers, filled as their writers fill them.

Columns: the Collector's `clickhouseexporter` 0.161 (`otel_traces`), Jaeger's module 1.76 (`spans`); written by hand,
without codecs, indexes and partitions, which hold no data. `tests/end_to_end` holds the first to the Collector itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from chdb_engine import session

from punie.trace.model import AttributeValue, Span, SpanKind, StatusCode

_TYPES = (("bool", "Bool"), ("double", "Float64"), ("int", "Int64"), ("str", "String"), ("complex", "String"))
_TEXTS = "Map(LowCardinality(String), String)"


def _nested(prefix: str) -> str:
    return ", ".join(f"{prefix}{name}_attributes Nested(key String, value {kind})" for name, kind in _TYPES)


OTEL_TRACES = f"""
CREATE TABLE otel_traces (
  Timestamp DateTime64(9), TraceId String, SpanId String, ParentSpanId String, TraceState String,
  SpanName LowCardinality(String), SpanKind LowCardinality(String), ServiceName LowCardinality(String),
  ResourceAttributes {_TEXTS}, ScopeName String, ScopeVersion String, SpanAttributes {_TEXTS}, Duration UInt64,
  StatusCode LowCardinality(String), StatusMessage String,
  Events Nested(Timestamp DateTime64(9), Name LowCardinality(String), Attributes {_TEXTS}),
  Links Nested(TraceId String, SpanId String, TraceState String, Attributes {_TEXTS})
) ENGINE = MergeTree PARTITION BY toDate(Timestamp) ORDER BY (ServiceName, SpanName, toDateTime(Timestamp))
"""
JAEGER_SPANS = f"""
CREATE TABLE spans (
  id String, trace_id String, trace_state String, parent_span_id String, name String, kind String,
  start_time DateTime64(9), status_code String, status_message String, duration Int64, {_nested("")},
  events Nested(name String, timestamp DateTime64(9)),
  links Nested(trace_id String, span_id String, trace_state String),
  service_name String, {_nested("resource_")}, scope_name String, scope_version String
) ENGINE = MergeTree PRIMARY KEY (trace_id)
"""


def make_database(name: str, table: str, rows: Iterable[Mapping[str, Any]], into: str) -> None:
    """A database `name` with one table and its rows."""
    engine = session()
    engine.query(f"CREATE DATABASE IF NOT EXISTS {name}")
    engine.query(f"DROP TABLE IF EXISTS {name}.{into} SYNC")
    engine.query(table.replace("CREATE TABLE ", f"CREATE TABLE {name}."))
    lines = "\n".join(json.dumps(row) for row in rows)
    if lines:
        engine.query(f"INSERT INTO {name}.{into} FORMAT JSONEachRow\n{lines}")


def exporter_row(span: Span) -> dict[str, Any]:
    """What the Collector's exporter writes: every attribute as text, the duration unsigned."""
    return {
        "Timestamp": _timestamp(span.start_ns),
        "TraceId": span.trace_id,
        "SpanId": span.span_id,
        "ParentSpanId": span.parent_id or "",
        "SpanName": span.name,
        "SpanKind": span.kind.name.capitalize(),
        "ServiceName": span.resource.get("service.name", ""),
        "ResourceAttributes": {key: _text(value) for key, value in span.resource.items()},
        "ScopeName": span.scope,
        "SpanAttributes": {key: _text(value) for key, value in span.attributes.items()},
        "Duration": (span.end_ns - span.start_ns) % 2**64,
        "StatusCode": span.status.name.capitalize(),
        "StatusMessage": span.status_message,
        "Events.Timestamp": [_timestamp(event.time_ns) for event in span.events],
        "Events.Name": [event.name for event in span.events],
        "Events.Attributes": [
            {key: _text(value) for key, value in event.attributes.items()} for event in span.events
        ],
        "Links.TraceId": list(span.linked),
        "Links.SpanId": [span.span_id for _ in span.linked],
        "Links.TraceState": ["" for _ in span.linked],
        "Links.Attributes": [{} for _ in span.linked],
    }


def jaeger_row(span: Span) -> dict[str, Any]:
    """What Jaeger's own storage writes: attributes by type, lists as OTLP's JSON."""
    return {
        "id": span.span_id,
        "trace_id": span.trace_id,
        "parent_span_id": span.parent_id or "",
        "name": span.name,
        "kind": "" if span.kind is SpanKind.UNSPECIFIED else span.kind.name.lower(),
        "start_time": _timestamp(span.start_ns),
        "status_code": StatusCode(span.status).name.capitalize(),
        "status_message": span.status_message,
        "duration": span.end_ns - span.start_ns,
        "service_name": span.resource.get("service.name", ""),
        "scope_name": span.scope,
        "events.name": [event.name for event in span.events],
        "events.timestamp": [_timestamp(event.time_ns) for event in span.events],
        "links.trace_id": list(span.linked),
        "links.span_id": [span.span_id for _ in span.linked],
        "links.trace_state": ["" for _ in span.linked],
        **_lists("", span.attributes),
        **_lists("resource_", span.resource),
    }


def _timestamp(time_ns: int) -> str:
    return f"{time_ns // 10**9}.{time_ns % 10**9:09d}"


def _text(value: AttributeValue) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and (value == 0 or 1e-6 <= abs(value) < 1e21):
        return f"{Decimal(repr(value)):f}".removesuffix(".0")  # Go writes no exponent there
    return json.dumps(_json(value), separators=(",", ":"), ensure_ascii=False)


def _json(value: AttributeValue) -> Any:  # noqa: ANN401 # JSON has no common type
    if isinstance(value, Mapping):
        return {key: _json(item) for key, item in value.items()}
    return [_json(item) for item in value] if isinstance(value, list | tuple) else value


def _lists(prefix: str, attributes: Mapping[str, AttributeValue]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {
        f"{prefix}{name}_attributes.{part}": [] for name, _ in _TYPES for part in ("key", "value")
    }
    for key, value in attributes.items():
        name, label, held = _placed(key, value)
        found[f"{prefix}{name}_attributes.key"].append(label)
        found[f"{prefix}{name}_attributes.value"].append(held)
    return found


def _placed(key: str, value: AttributeValue) -> tuple[str, str, Any]:
    match value:
        case bool():
            return "bool", key, value
        case int():
            return "int", key, value
        case float():
            return "double", key, value
        case str():
            return "str", key, value
        case _:
            kind = "map" if isinstance(value, Mapping) else "slice"
            return "complex", f"@{kind}@{key}", json.dumps(any_value(value))


def any_value(value: AttributeValue) -> dict[str, Any]:
    """OTLP's AnyValue as JSON."""
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case Mapping():
            items = [{"key": key, "value": any_value(item)} for key, item in value.items()]
            return {"kvlistValue": {"values": items}}
        case None:
            return {}
        case _:
            return {"arrayValue": {"values": [any_value(item) for item in value]}}
