"""A span becomes a line and comes back the same."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from punie.trace.telemetry.journal.encode import LineEncoder, value_json
from punie.trace.telemetry.shipping.content import ContentPolicy
from punie.trace.telemetry.shipping.decode import LineDecoder

TRACE_ID = 0x0102030405060708090A0B0C0D0E0F10


def context(span_id: int, *, remote: bool = False, state: str = "") -> SpanContext:
    trace_state = TraceState.from_header([state]) if state else TraceState()
    return SpanContext(TRACE_ID, span_id, remote, TraceFlags(1), trace_state)


def full_span() -> ReadableSpan:
    return ReadableSpan(
        name="chat stub",
        context=context(0xA1, state="vendor=value"),
        parent=context(0xB2, remote=True, state="vendor=value"),
        resource=Resource({"service.name": "agent", "process.pid": 7}),
        attributes={
            "text": "grüß",
            "yes": True,
            "count": 2**62,
            "rate": 0.5,
            "raw": b"\x00\xff",
            "list": ("a", "b"),
            "map": {"k": 1},
        },
        events=[Event("exception", {"exception.type": "E"}, 1_700_000_000_000_000_001)],
        links=[Link(context(0xC3), {"why": "retry"})],
        kind=SpanKind.CLIENT,
        status=Status(StatusCode.ERROR, "broke"),
        start_time=1_700_000_000_000_000_000,
        end_time=1_700_000_000_000_000_009,
        instrumentation_scope=InstrumentationScope("punie.trace", "1"),
    )


def test_the_line_is_what_the_collectors_file_exporter_writes() -> None:
    line = LineEncoder().encode(full_span())
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "resourceSpans": [
            {
                "resource": {
                    "attributes": [
                        {"key": "service.name", "value": {"stringValue": "agent"}},
                        {"key": "process.pid", "value": {"intValue": "7"}},
                    ]
                },
                "scopeSpans": [
                    {
                        "scope": {"name": "punie.trace", "version": "1"},
                        "spans": [
                            {
                                "traceId": "0102030405060708090a0b0c0d0e0f10",
                                "spanId": "00000000000000a1",
                                "traceState": "vendor=value",
                                "parentSpanId": "00000000000000b2",
                                "flags": 0x301,
                                "name": "chat stub",
                                "kind": 3,
                                "startTimeUnixNano": "1700000000000000000",
                                "endTimeUnixNano": "1700000000000000009",
                                "attributes": [
                                    {"key": "text", "value": {"stringValue": "grüß"}},
                                    {"key": "yes", "value": {"boolValue": True}},
                                    {"key": "count", "value": {"intValue": "4611686018427387904"}},
                                    {"key": "rate", "value": {"doubleValue": 0.5}},
                                    {"key": "raw", "value": {"bytesValue": "AP8="}},
                                    {
                                        "key": "list",
                                        "value": {
                                            "arrayValue": {
                                                "values": [{"stringValue": "a"}, {"stringValue": "b"}]
                                            }
                                        },
                                    },
                                    {
                                        "key": "map",
                                        "value": {
                                            "kvlistValue": {
                                                "values": [{"key": "k", "value": {"intValue": "1"}}]
                                            }
                                        },
                                    },
                                ],
                                "events": [
                                    {
                                        "timeUnixNano": "1700000000000000001",
                                        "name": "exception",
                                        "attributes": [
                                            {"key": "exception.type", "value": {"stringValue": "E"}}
                                        ],
                                    }
                                ],
                                "links": [
                                    {
                                        "traceId": "0102030405060708090a0b0c0d0e0f10",
                                        "spanId": "00000000000000c3",
                                        "attributes": [{"key": "why", "value": {"stringValue": "retry"}}],
                                    }
                                ],
                                "status": {"code": 2, "message": "broke"},
                            }
                        ],
                    }
                ],
            }
        ]
    }


def test_decoding_gives_the_span_back() -> None:
    encoder = LineEncoder()
    line = encoder.encode(full_span())
    (span,) = LineDecoder(ContentPolicy.SEND).decode(line)
    attributes = dict(span.attributes or {})
    assert attributes.pop("punie.content.send") is True
    again = ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=span.events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
    assert encoder.encode(again) == line


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, {}),
        (math.inf, {"doubleValue": "Infinity"}),
        (-math.inf, {"doubleValue": "-Infinity"}),
        (math.nan, {"doubleValue": "NaN"}),
        (2**64, {"stringValue": "18446744073709551616"}),
        (object, {"stringValue": "<class 'object'>"}),
        ([], {"arrayValue": {"values": []}}),
    ],
)
def test_values_that_json_or_otlp_cannot_hold(value: object, expected: dict[str, Any]) -> None:
    assert value_json(value) == expected


def test_a_lone_surrogate_is_legal_json_and_becomes_sendable() -> None:
    span = ReadableSpan(name="\ud800", context=context(1), resource=Resource({}), start_time=1, end_time=2)
    line = LineEncoder().encode(span)
    (decoded,) = LineDecoder(ContentPolicy.STRIP).decode(line)
    assert decoded.name == "\ufffd"


@pytest.mark.parametrize("line", [b"nonsense", b"[]", b'{"resourceSpans":[{}]}', b"7"])
def test_what_is_no_otlp_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        LineDecoder(ContentPolicy.STRIP).decode(line)


def test_resources_that_come_and_go_are_not_mixed_up() -> None:
    encoder = LineEncoder()
    for number in range(500):
        span = ReadableSpan(
            name="s", context=context(1), resource=Resource({"n": number}), start_time=1, end_time=2
        )
        line = json.loads(encoder.encode(span))
        assert line["resourceSpans"][0]["resource"]["attributes"] == [
            {"key": "n", "value": {"intValue": str(number)}}
        ]
