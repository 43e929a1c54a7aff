"""Spans as other tools write them to a file: each function gives the file's name and content, or writes Parquet."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb
from clickhouse_tables import any_value, exporter_row
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from punie.trace.model import AttributeValue, Span, SpanKind, StatusCode


def otlp_json(spans: Sequence[Span]) -> bytes:
    """One document, indented."""
    return json.dumps(_otlp(spans), indent=1).encode()


def otlp_lines(spans: Sequence[Span]) -> bytes:
    """A document a span."""
    return b"".join(json.dumps(_otlp([span])).encode() + b"\n" for span in spans)


def otlp_protobuf(spans: Sequence[Span]) -> bytes:
    """TracesData."""
    return ParseDict(_base64_ids(_otlp(spans)), TracesData()).SerializeToString()


def jaeger_json(spans: Sequence[Span]) -> bytes:
    """As Jaeger's page downloads traces: microseconds, everything that it has no field for in tags."""
    traces = groupby(sorted(spans, key=lambda span: span.trace_id), key=lambda span: span.trace_id)
    return json.dumps({"data": [_jaeger_trace(trace, list(some)) for trace, some in traces]}).encode()


def zipkin_json(spans: Sequence[Span]) -> bytes:
    """As Zipkin's API gives spans: microseconds, every tag a text, of the process its service alone."""
    return json.dumps([_zipkin_span(span) for span in spans]).encode()


def parquet_of_json(spans: Sequence[Span], path: Path) -> None:
    """Our own columns, attributes as the text of an object."""
    rows = [
        {
            "trace_id": span.trace_id,
            "span_id": span.span_id,
            "parent_id": span.parent_id,
            "name": span.name,
            "start_ns": span.start_ns,
            "end_ns": span.end_ns,
            "kind": int(span.kind),
            "status_code": int(span.status),
            "status_message": span.status_message,
            "attributes": json.dumps(_plain(span.attributes)),
            "resource": json.dumps(_plain(span.resource)),
            "scope": span.scope,
            "events": json.dumps([{"name": event.name, "time_ns": event.time_ns} for event in span.events]),
            "links": json.dumps([{"context": {"trace_id": trace}} for trace in span.linked]),
        }
        for span in spans
    ]
    _write_parquet(rows, path, "*")


def parquet_of_exporter(spans: Sequence[Span], path: Path) -> None:
    """The columns of the Collector's ClickHouse exporter: every attribute is text."""
    rows = []
    for span in spans:
        row = exporter_row(span)
        row["Timestamp"] = span.start_ns
        row["Events.Timestamp"] = [event.time_ns for event in span.events]
        row["ResourceAttributes"], row["SpanAttributes"] = (
            json.dumps(row[name]) for name in ("ResourceAttributes", "SpanAttributes")
        )
        del row["Events.Attributes"], row["Links.Attributes"]
        rows.append(row)
    columns = "* REPLACE (SpanAttributes::JSON::MAP(VARCHAR, VARCHAR) AS SpanAttributes, Duration::UBIGINT AS Duration)"
    _write_parquet(rows, path, columns)


def _otlp(spans: Sequence[Span]) -> dict[str, Any]:
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _pairs(span.resource)},
                "scopeSpans": [{"scope": {"name": span.scope}, "spans": [_otlp_span(span)]}],
            }
            for span in spans
        ]
    }


def _otlp_span(span: Span) -> dict[str, Any]:
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        **({"parentSpanId": span.parent_id} if span.parent_id else {}),
        "name": span.name,
        "kind": int(span.kind),
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _pairs(span.attributes),
        "status": {"code": int(span.status), "message": span.status_message},
        "events": [{"name": event.name, "timeUnixNano": str(event.time_ns)} for event in span.events],
        "links": [{"traceId": trace, "spanId": span.span_id} for trace in span.linked],
    }


def _pairs(attributes: Mapping[str, AttributeValue]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in attributes.items()]


def _write_parquet(rows: Iterable[Mapping[str, Any]], path: Path, columns: str) -> None:
    lines = path.with_suffix(".rows")
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT {columns} FROM read_json('{lines}', format='newline_delimited', sample_size=-1)) "  # noqa: S608
            f"TO '{path}' (FORMAT parquet)"
        )
    lines.unlink()


def _jaeger_trace(trace: str, spans: Sequence[Span]) -> dict[str, Any]:
    processes = {
        f"p{number}": {
            "serviceName": str(span.resource.get("service.name", "")),
            "tags": _tags({k: v for k, v in span.resource.items() if k != "service.name"}),
        }
        for number, span in enumerate(spans)
    }
    return {
        "traceID": trace,
        "spans": [_jaeger_span(span, f"p{number}") for number, span in enumerate(spans)],
        "processes": processes,
    }


def _jaeger_span(span: Span, process: str) -> dict[str, Any]:
    parent = {"refType": "CHILD_OF", "traceID": span.trace_id, "spanID": span.parent_id}
    return {
        "traceID": span.trace_id,
        "spanID": span.span_id,
        "operationName": span.name,
        "references": [
            *([parent] if span.parent_id else []),
            *({"refType": "FOLLOWS_FROM", "traceID": trace, "spanID": span.span_id} for trace in span.linked),
        ],
        "startTime": span.start_ns // 1_000,
        "duration": (span.end_ns - span.start_ns) // 1_000,
        "tags": _tags({**span.attributes, **_made_tags(span)}),
        "logs": [
            {"timestamp": event.time_ns // 1_000, "fields": _tags({"event": event.name})}
            for event in span.events
        ],
        "processID": process,
    }


def _made_tags(span: Span) -> dict[str, AttributeValue]:
    made: dict[str, AttributeValue] = {"otel.scope.name": span.scope} if span.scope else {}
    if span.kind is not SpanKind.UNSPECIFIED:
        made["span.kind"] = span.kind.name.lower()
    if span.status is StatusCode.ERROR:
        made |= {"error": True, "otel.status_code": "ERROR"}
    return made


def _tags(attributes: Mapping[str, AttributeValue]) -> list[dict[str, Any]]:
    types = {bool: "bool", int: "int64", float: "float64"}
    return [
        {
            "key": key,
            "type": types.get(type(value), "string"),
            "value": value if isinstance(value, str | bool | int | float) else json.dumps(_plain(value)),
        }
        for key, value in attributes.items()
    ]


def _zipkin_span(span: Span) -> dict[str, Any]:
    raw: dict[str, Any] = {
        "traceId": span.trace_id,
        "id": span.span_id,
        "name": span.name,
        "timestamp": span.start_ns // 1_000,
        "duration": (span.end_ns - span.start_ns) // 1_000,
        "localEndpoint": {"serviceName": span.resource.get("service.name", "")},
        "annotations": [{"timestamp": event.time_ns // 1_000, "value": event.name} for event in span.events],
        "tags": {
            key: value if isinstance(value, str) else json.dumps(_plain(value))
            for key, value in {**span.attributes, **_made_tags(span)}.items()
            if key not in ("span.kind", "error")
        },
    }
    if span.parent_id:
        raw["parentId"] = span.parent_id
    if span.kind not in (SpanKind.UNSPECIFIED, SpanKind.INTERNAL):
        raw["kind"] = span.kind.name
    return raw


def _plain(value: AttributeValue) -> Any:  # noqa: ANN401 # JSON has no common type
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _base64_ids(value: Any) -> Any:  # noqa: ANN401 # JSON has no common type
    if isinstance(value, dict):
        return {
            key: base64.b64encode(bytes.fromhex(item)).decode()
            if key in ("traceId", "spanId", "parentSpanId")
            else _base64_ids(item)
            for key, item in value.items()
        }
    return [_base64_ids(item) for item in value] if isinstance(value, list) else value
