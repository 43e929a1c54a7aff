"""What OpenTelemetry's own console exporter prints, read back."""

from __future__ import annotations

import io
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
