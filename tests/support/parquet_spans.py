"""Spans as Parquet, in the forms in which writers put them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import duckdb
from clickhouse_tables import exporter_row

from punie.trace.model import Span

_MAP = "MAP(VARCHAR, VARCHAR)"
_OURS = {
    "trace_id": "VARCHAR",
    "span_id": "VARCHAR",
    "parent_id": "VARCHAR",
    "name": "VARCHAR",
    "start_ns": "BIGINT",
    "end_ns": "BIGINT",
    "kind": "INTEGER",
    "status_code": "INTEGER",
    "scope": "VARCHAR",
    "attributes": "VARCHAR",
    "resource": "VARCHAR",
    "events": "VARCHAR",
}
_EXPORTER = {
    "Duration": "UBIGINT",
    "ResourceAttributes": _MAP,
    "SpanAttributes": _MAP,
    "Events.Timestamp": "BIGINT[]",
    "Events.Name": "VARCHAR[]",
    "Events.Attributes": f"{_MAP}[]",
}


class Form(StrEnum):
    """How a file is written."""

    OURS = "our names, attributes as JSON"
    EXPORTER = "the Collector's ClickHouse exporter's, attributes as maps"
    BYTES = "our names, ids as bytes"


def write_parquet(path: Path, spans: Sequence[Span], form: Form = Form.OURS) -> str:
    """A file of `spans`; returns its path."""
    rows = [_exported(span) if form is Form.EXPORTER else _own(span) for span in spans]
    kinds = {name: _EXPORTER.get(name, "VARCHAR") for name in rows[0]} | {"Timestamp": "BIGINT"}
    selected = "* REPLACE (make_timestamp_ns(Timestamp) AS Timestamp)"
    if form is not Form.EXPORTER:
        kinds, selected = _OURS, "*"
    if form is Form.BYTES:
        ids = ("trace_id", "span_id", "parent_id")
        selected = f"* REPLACE ({', '.join(f'unhex({name}) AS {name}' for name in ids)})"
    lines = path.with_suffix(".jsonl")
    lines.write_text("\n".join(map(json.dumps, rows)))
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in kinds.items())
    source = str(lines).replace("'", "''")
    read = f"read_json('{source}', format = 'newline_delimited', columns = {{{columns}}})"
    into = str(path).replace("'", "''")
    duckdb.connect().execute(f"COPY (SELECT {selected} FROM {read}) TO '{into}' (FORMAT parquet)")  # noqa: S608
    lines.unlink()
    return str(path)


def _own(span: Span) -> Mapping[str, Any]:
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "name": span.name,
        "start_ns": span.start_ns,
        "end_ns": span.end_ns,
        "kind": int(span.kind),
        "status_code": int(span.status),
        "scope": span.scope,
        "attributes": json.dumps(dict(span.attributes)),
        "resource": json.dumps(dict(span.resource)),
        "events": json.dumps(
            [{"name": event.name, "time_unix_nano": event.time_ns} for event in span.events]
        ),
    }


def _exported(span: Span) -> Mapping[str, Any]:
    times = {"Timestamp": span.start_ns, "Events.Timestamp": [event.time_ns for event in span.events]}
    return {**exporter_row(span), **times}
