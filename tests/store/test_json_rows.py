"""Rows of a table as JSON, as ClickHouse writes the Collector's table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from punie.trace.model import Event, SpanKind, StatusCode
from punie.trace.store.sources import read_source

ROW: Final[dict[str, Any]] = {
    "Timestamp": "2026-11-30 10:00:00.000000001",
    "TraceId": "a" * 32,
    "SpanId": "b" * 16,
    "ParentSpanId": "",
    "SpanName": "chat m",
    "SpanKind": "Client",
    "ServiceName": "agent",
    "ResourceAttributes": {"host.name": "here"},
    "ScopeName": "app",
    "SpanAttributes": {"gen_ai.usage.input_tokens": "9"},
    "Duration": "1500",
    "StatusCode": "Error",
    "StatusMessage": "no",
    "Events.Timestamp": ["2026-11-30 10:00:00.000000002"],
    "Events.Name": ["first"],
    "Events.Attributes": [{"x": "1"}],
}


@pytest.mark.parametrize("text", [f"{json.dumps(ROW)}\n", json.dumps({"meta": [], "data": [ROW], "rows": 1})])
def test_a_row_is_a_span(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(text)
    found = read_source(str(file))
    assert found.unreadable == ()
    (span,) = found.spans
    assert (span.trace_id, span.span_id, span.parent_id) == ("a" * 32, "b" * 16, None)
    assert (span.name, span.kind, span.scope) == ("chat m", SpanKind.CLIENT, "app")
    assert (span.start_ns % 1_000, span.duration_ns) == (1, 1_500)
    assert (span.status, span.status_message) == (StatusCode.ERROR, "no")
    assert span.attributes == {"gen_ai.usage.input_tokens": 9}
    assert span.resource == {"host.name": "here", "service.name": "agent"}
    assert span.events == (Event("first", span.start_ns + 1, {"x": "1"}),)


def test_a_row_that_is_no_span_is_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    bad = {**ROW, "Timestamp": "yesterday"}
    file.write_text("".join(f"{json.dumps(row)}\n" for row in (ROW, bad)))
    (record,) = read_source(str(file)).unreadable
    assert (record.line, "yesterday" in record.reason) == (2, True)


@pytest.mark.parametrize(
    "links",
    [
        {"Links.TraceId": ["c" * 32]},
        {"links": [{"trace_id": "c" * 32}]},
        {"otel_links": json.dumps([{"context": {"traceId": "c" * 32}}, {"attributes": {}}, "no id", 7])},
    ],
)
def test_a_row_tells_the_traces_that_it_is_linked_to(tmp_path: Path, links: dict[str, Any]) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(ROW | links))
    (span,) = read_source(str(file)).spans
    assert span.linked == ("c" * 32,)
