"""Spans with what a run of the demo has none of: a draft model, failures, wrong answers, several tools."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from punie.trace import semconv
from punie.trace.model import Attributes, Span, SpanKind, StatusCode

AGENT: Final = "planted-agent"
SERVER: Final = "planted-server"
_MS: Final = 1_000_000
_INPUT, _OUTPUT, _CACHED = semconv.INPUT_TOKENS[0], semconv.OUTPUT_TOKENS[0], semconv.CACHED_TOKENS[0]


def planted(run: str, *, slower: int) -> list[Span]:
    """Three queries that end now: one right, one wrong after a failure, one without a score. `slower` is a factor."""
    return [
        *_query(run, True, slower, status=200),
        *_query(run, False, 3 * slower, status=503),
        *_query(run, None, 4 * slower, status=200),
    ]


def _query(run: str, ok: bool | None, factor: int, *, status: int) -> Iterator[Span]:
    trace_id, now = secrets.token_hex(16), time.time_ns()
    bad = status != 200

    def span(
        called: str,
        kind: SpanKind,
        ms: float,
        service: str,
        attributes: Attributes,
        *,
        fails: bool = False,
    ) -> Span:
        return Span(
            trace_id=trace_id,
            span_id=secrets.token_hex(8),
            parent_id=None if called == semconv.SPAN_QUERY else "00000000000000aa",
            name=called,
            start_ns=now - int(ms * factor * _MS),
            end_ns=now,
            kind=kind,
            attributes=attributes,
            status=StatusCode.ERROR if fails else StatusCode.UNSET,
            resource={semconv.SERVICE_NAME: service},
        )

    inside, client = SpanKind.INTERNAL, SpanKind.CLIENT
    query: Attributes = {
        semconv.RUN_ID: run,
        semconv.QUERY_ID: f"planted-{factor}",
        **({} if ok is None else {semconv.QUERY_OK: ok}),
        semconv.SERVER_PEAK_FOOTPRINT: 5_000_000 * factor,
        semconv.MACHINE_RECOMMENDED_MEMORY: 10**9,
    }
    yield span(semconv.SPAN_QUERY, inside, 400, AGENT, query)
    yield span(
        "chat", client, 300, AGENT, fails=bad, attributes={semconv.TIME_TO_FIRST_CHUNK[0]: 0.07 * factor}
    )
    failure = {semconv.ERROR_TYPE: "HTTPStatusError"} if bad else {}
    http: Attributes = {semconv.HTTP_STATUS[0]: status, **failure}
    yield span("POST", client, 280, AGENT, http, fails=bad)
    for tool, ms in (("grep", 4), ("read_file", 11)):
        called = {semconv.OPERATION: semconv.OPERATION_TOOL, semconv.TOOL_NAME: tool}
        yield span(f"{semconv.OPERATION_TOOL} {tool}", inside, ms, AGENT, called)
    for phase, ms in (("queue", 3), ("prefill", 90 + 2 * factor), ("decode", 160)):
        known = {semconv.PHASE: phase, semconv.PHASE_PROVENANCE: "server"}
        yield span(phase, inside, ms, SERVER, known)
    served: Attributes = {
        semconv.PHASE: "serve",
        semconv.PHASE_PROVENANCE: "server",
        _INPUT: 200 * factor,
        _CACHED: 80,
        _OUTPUT: 40,
        semconv.SERVER_DRAFTED_TOKENS: 30,
        semconv.SERVER_ACCEPTED_TOKENS: 30 - factor,
        semconv.SERVER_DRAFT_STEPS: 10,
        semconv.LATENCY_FIRST_TOKEN: 0.09 * factor,
        semconv.SERVER_TIME_PER_TOKEN: 0.004 * factor,
        semconv.SERVER_PREFILL_RATE: 1300.0 / factor,
        semconv.SERVER_FOOTPRINT: 4_000_000 * factor,
        semconv.SERVER_PEAK_MEMORY: 3_000_000 * factor,
        semconv.SERVER_ACTIVE_MEMORY: 2_000_000 * factor,
    }
    yield span(semconv.SPAN_SERVER_REQUEST, SpanKind.SERVER, 270, SERVER, served, fails=bad)


def as_otlp(spans: Iterable[Span]) -> dict[str, Any]:
    """A request of OTLP over HTTP, as JSON."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _pairs(span.resource)},
                "scopeSpans": [{"spans": [_as_json(span)]}],
            }
            for span in spans
        ]
    }


def _as_json(span: Span) -> dict[str, Any]:
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        **({"parentSpanId": span.parent_id} if span.parent_id else {}),
        "name": span.name,
        "kind": span.kind.value,
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _pairs(span.attributes),
        "status": {"code": span.status.value},
    }


def _pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
    return [{"key": key, "value": {kinds[type(value)]: value}} for key, value in attributes.items()]
