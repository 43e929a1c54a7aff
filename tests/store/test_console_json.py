"""What OpenTelemetry's own console exporter prints, read back."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.trace import SpanKind as OtelKind
from opentelemetry.trace import Status
from opentelemetry.trace import StatusCode as OtelStatus

from punie.trace.model import Event, SpanKind, StatusCode
from punie.trace.store.sources import read_source


def printed() -> str:
    out = io.StringIO()
    provider = TracerProvider(resource=Resource({"service.name": "agent"}))
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=out)))
    tracer = provider.get_tracer("app")
    root = tracer.start_span("query", start_time=1_764_000_000_000_001_000)
    from opentelemetry.trace import set_span_in_context

    child = tracer.start_span(
        "chat",
        set_span_in_context(root),
        OtelKind.CLIENT,
        {"gen_ai.usage.input_tokens": 96, "gen_ai.response.finish_reasons": ("stop",), "ok": True},
        start_time=1_764_000_000_000_002_000,
    )
    child.add_event("first", timestamp=1_764_000_000_000_003_000)
    child.set_status(Status(OtelStatus.ERROR, "no"))
    child.end(1_764_000_000_000_004_000)
    root.end(1_764_000_000_000_005_000)
    return out.getvalue()


def test_what_the_sdk_prints_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "printed.json"
    file.write_text(printed())
    found = read_source(str(file))
    assert (found.unreadable, found.resolution_ns) == ((), 1_000)
    child, root = found.spans
    assert (child.trace_id, child.parent_id) == (root.trace_id, root.span_id)
    assert (root.name, root.parent_id, root.kind) == ("query", None, SpanKind.INTERNAL)
    assert (root.start_ns, root.end_ns) == (1_764_000_000_000_001_000, 1_764_000_000_000_005_000)
    assert child.kind is SpanKind.CLIENT
    assert (child.status, child.status_message) == (StatusCode.ERROR, "no")
    assert child.events == (Event("first", 1_764_000_000_000_003_000),)
    assert child.resource == {"service.name": "agent"}
    assert child.attributes == {
        "gen_ai.usage.input_tokens": 96,
        "gen_ai.response.finish_reasons": ("stop",),
        "ok": True,
    }


@pytest.mark.parametrize(
    ("changed", "why"),
    [(('"0x', '"no'), "is no id of"), (("2025-11-24T16", "soon"), "is no time in ISO 8601")],
)
def test_what_can_not_be_read_is_named(tmp_path: Path, changed: tuple[str, str], why: str) -> None:
    file = tmp_path / "printed.json"
    file.write_text(printed().replace(*changed))
    found = read_source(str(file))
    assert found.spans == ()
    assert all(why in record.reason for record in found.unreadable)
    assert len(found.unreadable) == 2


IDS = {"traceId": "a" * 32, "spanId": "b" * 16}
JAVASCRIPT = (
    {
        "traceId": "a" * 32,
        "id": "b" * 16,
        "parentId": "c" * 16,
        "name": "chat m",
        "kind": 2,
        "timestamp": 1_764_000_000_000_001,
        "duration": 2.5,
        "attributes": {"gen_ai.usage.input_tokens": 9},
        "status": {"code": 2, "message": "no"},
        "events": [{"name": "first", "time": [1_764_000_000, 2_000], "attributes": {}}],
        "resource": {"attributes": {"service.name": "agent"}},
        "instrumentationScope": {"name": "ai"},
    },
    {
        "_spanContext": IDS,
        "parentSpanContext": {"spanId": "c" * 16},
        "name": "chat m",
        "kind": 2,
        "startTime": [1_764_000_000, 1_000],
        "endTime": [1_764_000_000, 3_500],
        "attributes": {"gen_ai.usage.input_tokens": 9},
        "status": {"code": 2, "message": "no"},
        "events": [{"name": "first", "time": [1_764_000_000, 2_000]}],
        "resource": {"attributes": {"service.name": "agent"}},
        "instrumentationScope": {"name": "ai"},
    },
)


@pytest.mark.parametrize("printed", JAVASCRIPT, ids=["exporter", "object"])
def test_what_javascripts_sdk_writes_comes_back(tmp_path: Path, printed: dict[str, object]) -> None:
    file = tmp_path / "printed.jsonl"
    file.write_text(f"{json.dumps(printed)}\n" * 2)
    span, again = read_source(str(file)).spans
    assert span == again
    assert (span.trace_id, span.span_id, span.parent_id) == ("a" * 32, "b" * 16, "c" * 16)
    assert (span.kind, span.status, span.status_message) == (SpanKind.CLIENT, StatusCode.ERROR, "no")
    assert (span.start_ns, span.duration_ns) == (1_764_000_000_000_001_000, 2_500)
    assert (span.attributes, span.scope) == ({"gen_ai.usage.input_tokens": 9}, "ai")
    assert span.events == (Event("first", 1_764_000_000_000_002_000),)


@pytest.mark.parametrize("flaw", [{"duration": -1}, {"duration": "2"}, {"timestamp": "now"}, {"id": "x"}])
def test_what_is_wrong_in_javascripts_is_named(tmp_path: Path, flaw: dict[str, object]) -> None:
    file = tmp_path / "printed.jsonl"
    file.write_text(f"{json.dumps(JAVASCRIPT[0])}\n{json.dumps({**JAVASCRIPT[0], **flaw})}\n")
    found = read_source(str(file))
    assert (len(found.spans), len(found.unreadable)) == (1, 1)


def test_phoenixs_export_comes_back(tmp_path: Path) -> None:
    span: dict[str, object] = {
        "name": "ChatCompletion",
        "context": {"trace_id": "a" * 32, "span_id": "b" * 16},
        "span_kind": "LLM",
        "parent_id": None,
        "start_time": "2026-11-30T10:00:00.000001+00:00",
        "end_time": "2026-11-30T10:00:01+00:00",
        "status_code": "ERROR",
        "status_message": "no",
        "attributes": {"llm": {"model_name": "m", "token_count": {"prompt": 9}}, "input.value": "hello"},
        "events": [],
    }
    file = tmp_path / "spans.json"
    file.write_text(json.dumps({"data": [span], "next_cursor": None}))
    (found,) = read_source(str(file)).spans
    assert (found.status, found.status_message, found.parent_id) == (StatusCode.ERROR, "no", None)
    assert found.attributes == {
        "openinference.span.kind": "LLM",
        "llm.model_name": "m",
        "llm.token_count.prompt": 9,
        "input.value": "hello",
    }
