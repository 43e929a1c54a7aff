"""Our spans beside the SDK's: told the same, both write the same line."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from punie.trace.telemetry.journal.journal import Journal
from punie.trace.telemetry.journal.processor import JournalSpanProcessor
from punie.trace.telemetry.journal.spans import JournalTracerProvider

RESOURCE = Resource({"service.name": "agent"})


class Counting(IdGenerator):
    """The same ids each time."""

    def __init__(self) -> None:
        self.last = 0

    def generate_span_id(self) -> int:
        self.last += 1
        return self.last

    def generate_trace_id(self) -> int:
        return self.generate_span_id()


def remote(*, sampled: bool) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=flags)


def under(context: SpanContext) -> Any:  # noqa: ANN401 # OpenTelemetry's context
    return trace.set_span_in_context(NonRecordingSpan(context))


def everything(tracer: trace.Tracer) -> None:
    span = tracer.start_span(
        "a",
        kind=SpanKind.CLIENT,
        attributes={"text": "é \udc80", "whole": 3, "yes": True, "list": ["a", "b"], "half": 0.5},
        links=[trace.Link(remote(sampled=True), {"why": "other trace"})],
        start_time=5,
    )
    span.set_attribute("text", "again")
    span.set_attributes({"more": 1, "numbers": (1, 2)})
    span.add_event("happened", {"at": "once"}, timestamp=6)
    span.update_name("b")
    span.set_status(StatusCode.ERROR, "because")
    span.end(end_time=9)
    span.set_attribute("too", "late")
    span.end(end_time=10)


def nested(tracer: trace.Tracer) -> None:
    with tracer.start_as_current_span("outer", start_time=1) as outer:
        inner = tracer.start_span("inner", start_time=2)
        inner.end(end_time=3)
        outer.set_status(StatusCode.OK)
        outer.set_status(StatusCode.ERROR)
    assert not trace.get_current_span().is_recording()


def of_another_process(tracer: trace.Tracer) -> None:
    tracer.start_span("served", context=under(remote(sampled=True)), kind=SpanKind.SERVER).end()


def status_object(tracer: trace.Tracer) -> None:
    span = tracer.start_span("s", start_time=1)
    span.set_status(Status(StatusCode.ERROR, "first"))
    span.set_status(StatusCode.UNSET)
    span.end(end_time=2)


def an_exception(tracer: trace.Tracer) -> None:
    with pytest.raises(ValueError, match="no"), tracer.start_as_current_span("failed", start_time=1):
        raise ValueError("no")


def told(lines: Path) -> list[Any]:
    found = []
    for line in lines.read_text().splitlines():
        document = json.loads(line)["resourceSpans"][0]
        span = document["scopeSpans"][0]["spans"][0]
        for name in ("startTimeUnixNano", "endTimeUnixNano"):  # where nobody said when
            span[name] = "now" if len(span[name]) > 10 else span[name]
        span["attributes"].sort(key=lambda attribute: attribute["key"])  # the SDK moves one that is set again
        for event in span["events"]:
            event["timeUnixNano"] = "now" if len(event["timeUnixNano"]) > 10 else event["timeUnixNano"]
            for attribute in event["attributes"]:  # the frames of the interface in use
                if attribute["key"] == "exception.stacktrace":
                    attribute["value"] = attribute["value"]["stringValue"].splitlines()[-1]
        found.append(document)
    return found


@pytest.mark.parametrize("told_of", [everything, nested, of_another_process, status_object, an_exception])
def test_the_line_is_the_sdks(told_of: Callable[[trace.Tracer], None], tmp_path: Path) -> None:
    ours, theirs = (JournalSpanProcessor(Journal(tmp_path / name, "agent")) for name in ("ours", "theirs"))
    sdk = TracerProvider(resource=RESOURCE, id_generator=Counting(), shutdown_on_exit=False)
    sdk.add_span_processor(theirs)
    for provider in (JournalTracerProvider(RESOURCE, ours, id_generator=Counting()), sdk):
        told_of(provider.get_tracer("scope", "1.0"))
    assert told(ours.journal.path) == told(theirs.journal.path) != []


@pytest.mark.parametrize("sampled", [True, False])
def test_a_caller_that_is_not_sampled_is_obeyed_where_that_is_wanted(
    tmp_path: Path, *, sampled: bool
) -> None:
    ours = JournalSpanProcessor(Journal(tmp_path, "agent"))
    provider = JournalTracerProvider(RESOURCE, ours, sampled_only=True)
    span = provider.get_tracer("scope").start_span("served", context=under(remote(sampled=sampled)))
    sdk = TracerProvider(sampler=DEFAULT_ON, shutdown_on_exit=False).get_tracer("scope")
    theirs = sdk.start_span("served", context=under(remote(sampled=sampled)))
    assert span.is_recording() is theirs.is_recording() is sampled
    assert span.get_span_context().trace_flags == theirs.get_span_context().trace_flags
    assert ours.is_open(span.get_span_context()) is sampled
    span.end()
    assert ours.journal.status.written == sampled


def test_else_every_span_is_recorded(tmp_path: Path) -> None:
    ours = JournalSpanProcessor(Journal(tmp_path, "agent"))
    tracer = JournalTracerProvider(RESOURCE, ours).get_tracer("scope")
    tracer.start_span("served", context=under(remote(sampled=False))).end()
    assert ours.journal.status.written == 1


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    ours = JournalSpanProcessor(Journal(tmp_path, "agent"))
    tracer = JournalTracerProvider(RESOURCE, ours).get_tracer("scope")

    def work() -> None:
        for number in range(100):
            tracer.start_span("s", attributes={"number": number}).end()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told(ours.journal.path)) == 400
