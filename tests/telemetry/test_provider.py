"""The provider writes to the journal and does nothing else, whatever the environment says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased

from punie.trace.telemetry.provider import Telemetry, attach, configure

Spans = Callable[[], list[Any]]

_HOSTILE_ENVIRONMENT = {
    "LOGFIRE_TOKEN": "pylf_v1_us_0000000000000000000000000000000000000000",
    "LOGFIRE_CONSOLE": "true",
    "LOGFIRE_TRACE_SAMPLE_RATE": "0",
    "LOGFIRE_MIN_LEVEL": "fatal",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    "OTEL_TRACES_SAMPLER": "always_off",
    "OTEL_SDK_DISABLED": "true",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "3",
    "OTEL_RESOURCE_ATTRIBUTES": "team=blue",
}

_PROGRAM = """
import json, os, sys, threading
from opentelemetry import trace
from punie.trace.telemetry.provider import configure
before = dict(os.environ)
telemetry = configure(sys.argv[1], "agent", resource_attributes={"punie.run.id": "r1"})
with telemetry.tracer.start_as_current_span("work", attributes={"text": "a long text"}):
    pass
assert dict(os.environ) == before
assert threading.active_count() == 1, threading.enumerate()
assert type(trace.get_tracer_provider()).__name__ == "ProxyTracerProvider"
assert type(trace.get_tracer_provider()).__module__ == "opentelemetry.trace"
telemetry.shutdown()
telemetry.shutdown()
"""


def test_the_environment_neither_adds_an_exporter_nor_drops_a_span(tmp_path: Path) -> None:
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    (cwd / "pyproject.toml").write_text('[tool.logfire]\nsend_to_logfire = true\nmin_level = "fatal"\n')
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _PROGRAM, str(tmp_path / "spans")],
        env=os.environ | _HOSTILE_ENVIRONMENT,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(path.name for path in cwd.iterdir()) == ["pyproject.toml"]
    (journal,) = (tmp_path / "spans").iterdir()
    line = json.loads(journal.read_text())["resourceSpans"][0]
    resource = {item["key"]: item["value"].get("stringValue") for item in line["resource"]["attributes"]}
    assert (resource["service.name"], resource["punie.run.id"], resource["team"]) == ("agent", "r1", "blue")
    (span,) = line["scopeSpans"][0]["spans"]
    assert {"key": "text", "value": {"stringValue": "a long text"}} in span["attributes"]


def test_an_injected_clock_gives_the_times(tmp_path: Path, read: Callable[[Path], list[Any]]) -> None:
    ticks = iter(range(1_000, 2_000, 10))
    telemetry = configure(tmp_path, clock=lambda: next(ticks))
    telemetry.tracer.start_span("first").end()
    telemetry.tracer.start_span("second").end(end_time=1_500)
    telemetry.shutdown()
    times = [(span.start_ns, span.end_ns) for span in read(telemetry.journal.path)]
    assert times == [(1_000, 1_010), (1_020, 1_500)]


def test_attaching_leaves_the_provider_and_its_processors_alone(
    tmp_path: Path, read: Callable[[Path], list[Any]]
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    theirs = provider.get_tracer("theirs")
    telemetry = attach(provider, tmp_path)
    theirs.start_span("during").end()
    telemetry.shutdown()
    theirs.start_span("after").end()
    assert [span.name for span in read(telemetry.journal.path)] == ["during"]
    assert telemetry.journal.status.lost == 0
    provider.shutdown()


@pytest.mark.parametrize(
    ("sampler", "is_said"),
    [(ALWAYS_ON, False), (ParentBased(ALWAYS_ON), False), (ALWAYS_OFF, True), (TraceIdRatioBased(0.5), True)],
)
def test_that_the_program_samples_is_said(
    sampler: Sampler, is_said: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    attach(TracerProvider(sampler=sampler, shutdown_on_exit=False), tmp_path).shutdown()
    assert ("runs left out are in no report" in caplog.text) is is_said


def test_attaching_to_what_takes_no_processor_is_a_type_error(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="NoOpTracerProvider takes no span processors"):
        attach(trace.NoOpTracerProvider(), tmp_path)


def test_open_spans_are_known_until_they_end(telemetry: Telemetry) -> None:
    span = telemetry.tracer.start_span("work")
    assert telemetry.processor.is_open(span.get_span_context())
    span.end()
    assert not telemetry.processor.is_open(span.get_span_context())
