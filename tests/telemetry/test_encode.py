"""A span becomes a line and comes back the same."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
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
from punie.trace.telemetry.shipping.outgoing import Line, json_request, protobuf_request, read_line

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


def _sendable(line: bytes) -> bytes:
    """The line of one span, sent whole, without the mark that says so."""
    (sent,) = read_line(line, ContentPolicy.SEND).spans
    request = json_request([sent])
    (span,) = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    span["attributes"].remove({"key": "punie.content.send", "value": {"boolValue": True}})
    return json.dumps(request).encode()


def test_what_is_sent_in_json_is_what_the_journal_holds() -> None:
    line = LineEncoder().encode(full_span())
    sent, held = json.loads(_sendable(line)), json.loads(line)
    assert sent == held


def test_what_is_sent_in_protobuf_is_what_the_sdks_exporter_sends() -> None:
    (sent,) = read_line(LineEncoder().encode(full_span()), ContentPolicy.SEND).spans
    ours = protobuf_request([sent])
    theirs = encode_spans([full_span()])
    span = ours.resource_spans[0].scope_spans[0].spans[0]
    assert span.attributes.pop().key == "punie.content.send"
    other = theirs.resource_spans[0].scope_spans[0].spans[0]
    # The SDK's encoder leaves out that a span was sampled, and of a link it says whether it is remote.
    span.flags, span.links[0].flags = other.flags, other.links[0].flags
    assert MessageToDict(ours) == MessageToDict(theirs)


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
    (sent,) = read_line(line, ContentPolicy.STRIP).spans
    assert sent.span["name"] == "\ufffd"


@pytest.mark.parametrize(
    "line",
    [b"nonsense", b"[]", b'{"resourceSpans":[{}]}', b"7", b"\xff", b"[" * 100_000, b'{"resourceSpans":[{"sc'],
)
def test_what_is_no_otlp_is_counted(line: bytes) -> None:
    assert read_line(line, ContentPolicy.STRIP) == Line((), unreadable=1)


def test_one_bad_span_of_a_line_takes_only_itself() -> None:
    line = json.loads(LineEncoder().encode(full_span()))
    spans = line["resourceSpans"][0]["scopeSpans"][0]["spans"]
    bad = ({"traceId": "xyz"}, {"spanId": "0a"}, {"startTimeUnixNano": "soon"}, {"attributes": [7]})
    spans += [spans[0] | change for change in bad]
    read = read_line(json.dumps(line).encode(), ContentPolicy.STRIP)
    assert (len(read.spans), read.unreadable) == (1, 4)


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
