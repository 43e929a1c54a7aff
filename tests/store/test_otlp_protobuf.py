"""OTLP protobuf gives the same spans as OTLP JSON, and a damaged part costs only its own spans."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData, ResourceLogs, ScopeLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

from punie.trace.errors import InputError
from punie.trace.model import SpanSet
from punie.trace.store.sources import read_source

START: Final = 1764000000000000001


def part(name: str = "chat demo", **changed: bytes) -> ResourceSpans:
    made = ResourceSpans(scope_spans=[ScopeSpans(spans=[_span(name, **changed)])])
    made.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="agent")))
    made.scope_spans[0].scope.name = "punie.trace"
    return made


def _span(name: str, trace_id: bytes = b"\x01" * 16, span_id: bytes = b"\x02" * 8) -> Span:
    values = {
        "s": AnyValue(string_value="text"),
        "b": AnyValue(bool_value=True),
        "i": AnyValue(int_value=-5),
        "d": AnyValue(double_value=0.5),
        "x": AnyValue(bytes_value=b"\x00\x01"),
        "l": AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue(string_value="a")])),
        "m": AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=AnyValue(int_value=1))])),
        "empty": AnyValue(),
    }
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=b"\x03" * 8,
        name=name,
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=START,
        end_time_unix_nano=START + 4,
        attributes=[KeyValue(key=key, value=value) for key, value in values.items()],
        events=[Span.Event(name="first token", time_unix_nano=START + 2)],
        status=Status(code=Status.STATUS_CODE_ERROR, message="too slow"),
    )


AS_JSON: Final = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "agent"}}]},
            "scopeSpans": [
                {
                    "scope": {"name": "punie.trace"},
                    "spans": [
                        {
                            "traceId": "01" * 16,
                            "spanId": "02" * 8,
                            "parentSpanId": "03" * 8,
                            "name": "chat demo",
                            "kind": 3,
                            "startTimeUnixNano": str(START),
                            "endTimeUnixNano": str(START + 4),
                            "attributes": [
                                {"key": "s", "value": {"stringValue": "text"}},
                                {"key": "b", "value": {"boolValue": True}},
                                {"key": "i", "value": {"intValue": "-5"}},
                                {"key": "d", "value": {"doubleValue": 0.5}},
                                {"key": "x", "value": {"bytesValue": "AAE="}},
                                {
                                    "key": "l",
                                    "value": {
                                        "arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "a"}]}
                                    },
                                },
                                {
                                    "key": "m",
                                    "value": {
                                        "kvlistValue": {"values": [{"key": "k", "value": {"intValue": 1}}]}
                                    },
                                },
                                {"key": "empty", "value": {}},
                            ],
                            "events": [{"name": "first token", "timeUnixNano": str(START + 2)}],
                            "status": {"code": 2, "message": "too slow"},
                        }
                    ],
                }
            ],
        }
    ]
}


def read(folder: Path, content: bytes, name: str = "spans.binpb") -> SpanSet:
    path = folder / name
    path.write_bytes(content)
    return read_source(str(path))


def framed(*messages: bytes) -> bytes:
    return b"".join(len(message).to_bytes(4, "big") + message for message in messages)


def test_an_export_request_traces_data_and_json_are_the_same_spans(tmp_path: Path) -> None:
    expected = read(tmp_path, json.dumps(AS_JSON).encode(), "spans.json")
    assert len(expected.spans) == 1
    request = ExportTraceServiceRequest(resource_spans=[part()]).SerializeToString()
    assert read(tmp_path, request) == expected
    assert read(tmp_path, TracesData(resource_spans=[part()]).SerializeToString()) == expected


def test_messages_behind_their_length_as_the_collector_writes_them(tmp_path: Path) -> None:
    messages = [TracesData(resource_spans=[part(name)]).SerializeToString() for name in ("a", "b")]
    found = read(tmp_path, framed(*messages))
    assert [span.name for span in found.spans] == ["a", "b"]
    assert found.unreadable == ()


def test_every_cut_is_read_up_to_the_cut_and_named(tmp_path: Path) -> None:
    whole = TracesData(resource_spans=[part("a"), part("b")]).SerializeToString()
    half = len(whole) // 2
    assert len(whole) == 2 * half
    for size in range(half, len(whole)):
        found = read(tmp_path, whole[:size])
        assert [span.name for span in found.spans] == ["a"]
        assert len(found.unreadable) == (size > half)


def test_a_torn_message_of_several_is_named_by_its_number(tmp_path: Path) -> None:
    message = TracesData(resource_spans=[part()]).SerializeToString()
    found = read(tmp_path, framed(message, message)[:-3])
    assert len(found.spans) == 1
    (record,) = found.unreadable
    assert (record.file, record.line) == (str(tmp_path / "spans.binpb"), 2)
    assert record.reason.startswith("torn message")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"trace_id": b""}, "no trace_id"),
        ({"span_id": b"\x02" * 9}, "is no id"),
        ({"span_id": bytes(8)}, "zeros"),
    ],
)
def test_a_span_that_can_not_be_one_is_named_and_the_others_stay(
    tmp_path: Path, wrong: dict[str, bytes], reason: str
) -> None:
    content = TracesData(resource_spans=[part("a", **wrong), part("b")]).SerializeToString()
    found = read(tmp_path, content)
    assert [span.name for span in found.spans] == ["b"]
    (record,) = found.unreadable
    assert record.reason.startswith("resource_spans[0].scope_spans[0].spans[0]: ")
    assert reason in record.reason


def test_a_damaged_part_is_named_and_the_others_stay(tmp_path: Path) -> None:
    first = TracesData(resource_spans=[part("a")]).SerializeToString()
    head = len(first) - part("a").ByteSize()
    damaged = first[:head] + b"\xff" * (len(first) - head)
    found = read(tmp_path, first + damaged + first)
    assert [span.name for span in found.spans] == ["a", "a"]
    (record,) = found.unreadable
    assert record.reason.startswith("resource_spans[1]: damaged protobuf")


UNKNOWN: Final = (  # field 2 in each wire type that has a size: varint, 8 bytes, text, 4 bytes
    b"\x10\x96\x01",
    b"\x11" + b"\xff" * 8,
    b"\x12\x02hi",
    b"\x15" + b"\xff" * 4,
)


def test_unknown_fields_are_passed_over_in_every_wire_type(tmp_path: Path) -> None:
    first, second = (TracesData(resource_spans=[part(name)]).SerializeToString() for name in ("a", "b"))
    found = read(tmp_path, first + b"".join(UNKNOWN) + second)
    assert [span.name for span in found.spans] == ["a", "b"]
    assert found.unreadable == ()


@pytest.mark.parametrize("broken", [b"\x13", b"\x02\x00", b"\x11\xff", b"\x12\x05hi", b"\x10\x96"])
def test_a_field_that_is_broken_is_named(tmp_path: Path, broken: bytes) -> None:
    found = read(tmp_path, TracesData(resource_spans=[part("a")]).SerializeToString() + broken)
    assert [span.name for span in found.spans] == ["a"]
    (record,) = found.unreadable
    assert "at byte" in record.reason


def with_library_spans(content: bytes) -> bytes:
    """A message whose resource has, beside its scope's spans, a field 1000 as OTLP 0.14 wrote it."""
    made = part("new").SerializeToString() + b"\xc2\x3e" + bytes([len(content)]) + content
    return (
        b"\n"
        + (len(made).to_bytes(1) if len(made) < 128 else bytes([len(made) & 127 | 128, len(made) >> 7]))
        + made
    )


def test_spans_where_otlp_before_0_15_had_them(tmp_path: Path) -> None:
    bare = Span(trace_id=b"\x01" * 16, span_id=b"\x05" * 8, name="old", start_time_unix_nano=START)
    scope = ScopeSpans(spans=[bare, Span(name="none")])
    scope.scope.name = "library"
    found = read(tmp_path, with_library_spans(scope.SerializeToString()))
    assert [(span.name, span.scope) for span in found.spans] == [("new", "punie.trace"), ("old", "library")]
    assert found.spans[1].resource == found.spans[0].resource
    (record,) = found.unreadable
    assert record.reason == "resource_spans[0].instrumentation_library_spans[0].spans[1]: no trace_id"
    (record,) = read(tmp_path, with_library_spans(b"\xff")).unreadable
    assert record.reason.startswith("resource_spans[0].instrumentation_library_spans[0]: damaged protobuf")


def test_logs_are_not_taken_for_spans(tmp_path: Path) -> None:
    record = LogRecord(time_unix_nano=START)
    logs = LogsData(resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=[record])])])
    found = read(tmp_path, logs.SerializeToString())
    assert found.spans == ()
    assert len(found.unreadable) == 1


def test_a_part_of_123_bytes_starts_like_json_and_is_none(tmp_path: Path) -> None:
    for size in range(1, 123):
        made = ResourceSpans(schema_url="x" * size)
        made.resource.attributes.append(KeyValue(key="k"))
        content = TracesData(resource_spans=[made, part("a")]).SerializeToString()
        if content[1:2] == b"{":
            break
    else:
        pytest.fail("no size gives a length of 123")
    assert [span.name for span in read(tmp_path, content).spans] == ["a"]
    assert len(read(tmp_path, b"\n" + json.dumps(AS_JSON).encode(), "spans.json").spans) == 1


def test_what_is_neither(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"spans\.binpb: neither JSON nor"):
        read(tmp_path, b"\x92\x01\x02")
