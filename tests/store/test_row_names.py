"""Rows of spans as backends and exporters write them: each row of the table is one of theirs."""

from __future__ import annotations

import base64
import csv
import json
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest

from punie.trace.model import StatusCode
from punie.trace.store.sources import read_source

TRACE: Final = "e3b98a4da31a127d4bde6e43033f66ba"
SPAN: Final = "1234567890abcdef"
PARENT: Final = "0fedcba098765432"
START: Final = "2026-09-21T14:13:20.000001"
START_NS: Final = 1_790_000_000_000_001_000
COUNT: Final = "gen_ai.usage.input_tokens"
Raw = dict[str, Any]


def base64_of(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text)).decode()


def ids(trace: str, span: str, parent: str) -> Raw:
    return {trace: TRACE, span: SPAN, parent: PARENT}


ROWS: Final[dict[str, Raw]] = {
    "elasticsearch": {
        "@timestamp": "1790000000000.001",
        **ids("trace_id", "span_id", "parent_span_id"),
        "name": "chat m",
        "duration": 2_000_000,
        "attributes": {COUNT: 9},
        "resource": {"attributes": {"service.name": "app"}},
        "status": {"code": "Error"},
    },
    "elasticsearch, raw": {
        "@timestamp": f"{START}000Z",
        "EndTimestamp": "2026-09-21T14:13:20.002001000Z",
        **ids("TraceId", "SpanId", "ParentSpanId"),
        "Name": "chat m",
        "Duration": 2_000,
        "TraceStatus": 2,
        f"Attributes.{COUNT}": 9,
        "Resource.service.name": "app",
        "status": "Error",
    },
    "opensearch": {
        **ids("traceId", "spanId", "parentSpanId"),
        "name": "chat m",
        "startTime": f"{START}Z",
        "durationInNanos": 2_000_000,
        "serviceName": "app",
        "status.code": 2,
        "span.attributes.gen_ai@usage@input_tokens": 9,
    },
    "azure": {
        "timestamp": f"{START}Z",
        "id": SPAN,
        "operation_Id": TRACE,
        "operation_ParentId": PARENT,
        "name": "chat m",
        "duration": 2.0,
        "success": "False",
        "customDimensions": json.dumps({COUNT: "9"}),
        "cloud_RoleName": "app",
    },
    "log analytics": {
        "TimeGenerated": f"{START}Z",
        "Id": SPAN,
        "OperationId": TRACE,
        "ParentId": PARENT,
        "Name": "chat m",
        "DurationMs": 2,
        "Success": False,
        "Properties": {COUNT: "9"},
        "AppRoleName": "app",
    },
    "honeycomb": {
        "Timestamp": f"{START}Z",
        **ids("trace.trace_id", "trace.span_id", "trace.parent_id"),
        "name": "chat m",
        "duration_ms": 2,
        "service.name": "app",
        COUNT: 9,
        "error": True,
    },
    "logfire": {
        **ids("trace_id", "span_id", "parent_span_id"),
        "span_name": "chat m",
        "start_timestamp": f"{START}Z",
        "end_timestamp": "2026-09-21T14:13:20.002001Z",
        "duration": 0.002,
        "attributes": {COUNT: 9},
        "otel_resource_attributes": {"service.name": "app"},
        "otel_status_code": "ERROR",
    },
    "phoenix": {
        **ids("context.trace_id", "context.span_id", "parent_id"),
        "name": "chat m",
        "span_kind": "LLM",
        "start_time": f"{START}+00:00",
        "end_time": "2026-09-21T14:13:20.002001+00:00",
        "status_code": "ERROR",
        f"attributes.{COUNT}": 9,
        "resource.service.name": "app",
    },
    "mlflow": {
        "trace_id": base64_of(TRACE),
        "span_id": base64_of(SPAN),
        "parent_span_id": base64_of(PARENT),
        "name": "chat m",
        "start_time_unix_nano": START_NS,
        "end_time_unix_nano": START_NS + 2_000_000,
        "status": {"code": "STATUS_CODE_ERROR", "message": ""},
        "attributes": {COUNT: 9},
        "resource": {"service.name": "app"},
    },
    "datadog": {
        "trace_id": int(TRACE, 16),
        "span_id": int(SPAN, 16),
        "parent_id": int(PARENT, 16),
        "name": "llm",
        "resource": "chat m",
        "service": "app",
        "start": START_NS,
        "duration": 2_000_000,
        "meta": {"error": "true"},
        "metrics": {COUNT: 9},
    },
    "signoz": {
        "timestamp": f"{START}000Z",
        **ids("trace_id", "span_id", "parent_span_id"),
        "name": "chat m",
        "duration_nano": 2_000_000,
        "attributes_string": {"error": "true"},
        "attributes_number": {COUNT: 9},
        "resources_string": {"service.name": "app"},
    },
    "new relic": {
        "timestamp": START_NS // 1_000,
        **ids("trace.id", "id", "parent.id"),
        "name": "chat m",
        "duration.ms": 2,
        "service.name": "app",
        "error": True,
        COUNT: 9,
    },
    "google": {
        "traceId": TRACE,
        "spanId": str(int(SPAN, 16)),
        "parentSpanId": str(int(PARENT, 16)),
        "name": "chat m",
        "startTime": f"{START}000Z",
        "endTime": "2026-09-21T14:13:20.002001000Z",
        "labels": {COUNT: "9", "error": "true"},
        "serviceName": "app",
    },
}


def check(file: Path) -> None:
    found = read_source(str(file))
    assert found.unreadable == ()
    (span,) = found.spans
    assert (span.trace_id, span.span_id, span.parent_id) == (TRACE, SPAN, PARENT)
    assert (span.name, span.start_ns, span.duration_ns) == ("chat m", START_NS, 2_000_000)
    assert (span.status, span.attributes[COUNT]) == (StatusCode.ERROR, 9)
    assert span.resource["service.name"] == "app"


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_is_a_span_whatever_its_columns_are_called(tmp_path: Path, row: Raw) -> None:
    for number, document in enumerate(
        (
            row,
            [row],
            {"data": {"results": [{"rows": [{"data": row}]}]}},
            {"hits": {"hits": [{"_source": row}]}},
            {"data": {"spans": [row]}},
        )
    ):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(document))
        check(file)


@pytest.mark.parametrize("row", [ROWS["honeycomb"], ROWS["logfire"], ROWS["phoenix"]])
def test_a_row_of_csv_is_a_span(tmp_path: Path, row: Raw) -> None:
    file = tmp_path / "spans.csv"
    cells = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in row.items()}
    with file.open("w", newline="") as to:
        writer = csv.DictWriter(to, cells)
        writer.writeheader()
        writer.writerow(cells)
    check(file)


def test_a_trace_has_its_spans_ids_where_they_have_none(tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    row = {name: value for name, value in ROWS["google"].items() if name != "traceId"}
    file.write_text(json.dumps({"traces": [{"projectId": "p", "traceId": TRACE, "spans": [row]}]}))
    check(file)


def test_a_run_of_langsmith_names_its_kind_and_its_tokens(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    run = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
    row = {
        "id": run,
        "trace_id": run,
        "parent_run_id": None,
        "name": "ChatOpenAI",
        "run_type": "llm",
        "start_time": START,
        "end_time": "2026-09-21T14:13:20.002001",
        "prompt_tokens": 9,
    }
    file.write_text(json.dumps(row) + "\n")
    (span,) = read_source(str(file)).spans
    assert (span.trace_id, span.parent_id, span.duration_ns) == (run.replace("-", ""), None, 2_000_000)
    assert (span.attributes["run_type"], span.attributes["prompt_tokens"]) == ("llm", 9)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"duration_ms": "long"}, "duration"),
        ({"Timestamp": "noon"}, "start"),
        ({"trace.span_id": "x"}, "span id"),
    ],
)
def test_a_row_that_is_no_span_is_refused_in_words(tmp_path: Path, change: Raw, says: str) -> None:
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([ROWS["honeycomb"], {**ROWS["honeycomb"], **change}]))
    (record,) = read_source(str(file)).unreadable
    assert says in record.reason


def test_a_row_without_the_column_of_its_start_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    row = {name: value for name, value in ROWS["honeycomb"].items() if name != "Timestamp"}
    file.write_text(json.dumps([ROWS["honeycomb"], row]))
    (record,) = read_source(str(file)).unreadable
    assert record.reason == "[1]: start is missing"


@pytest.mark.parametrize(
    "name", sorted(ROWS.keys() - {"datadog"})
)  # DuckDB's JSON has no numbers of 128 bits
def test_a_row_of_parquet_is_a_span(tmp_path: Path, name: str) -> None:
    """With timestamps where the columns hold some, and not a number where a column of numbers has none."""
    rows, file = tmp_path / "row.json", tmp_path / "row.parquet"
    rows.write_text(json.dumps(ROWS[name]))
    sql = f"COPY (SELECT *, 'nan'::DOUBLE AS nothing FROM read_json('{rows}')) TO '{file}' (FORMAT parquet)"  # noqa: S608
    duckdb.connect().execute(sql)
    check(file)
