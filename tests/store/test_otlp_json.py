"""OTLP JSON is read whatever its writer's habits; what can't be read is counted and named."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from punie.trace.errors import InputError
from punie.trace.model import Event, SourceNote, Span, SpanKind, SpanSet, StatusCode, UnreadableRecord
from punie.trace.store.gathering import merge
from punie.trace.store.json_files import read_journal
from punie.trace.store.sources import read_source

RAW: Final[dict[str, Any]] = {
    "traceId": "0123456789abcdef0123456789abcdef",
    "spanId": "0123456789abcdef",
    "parentSpanId": "fedcba9876543210",
    "name": "chat demo",
    "kind": 3,
    "startTimeUnixNano": "1764000000000000001",
    "endTimeUnixNano": "1764000000000000005",
}
READ: Final = Span(
    trace_id="0123456789abcdef0123456789abcdef",
    span_id="0123456789abcdef",
    parent_id="fedcba9876543210",
    name="chat demo",
    start_ns=1764000000000000001,
    end_ns=1764000000000000005,
    kind=SpanKind.CLIENT,
)


def document(*spans: object) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


def read(path: Path) -> SpanSet:
    return read_source(str(path))


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "agent-1.jsonl"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


Put = Callable[[str | bytes], Path]


def test_a_link_is_no_parent(put: Put) -> None:
    link = {"traceId": RAW["traceId"], "spanId": "00000000000000aa"}
    span = read_one(put, {**RAW, "parentSpanId": "", "links": [link]})
    assert span == replace(READ, parent_id=None)


def test_several_files_keep_the_notes_of_each() -> None:
    notes = tuple(SourceNote("numbers-as-text", case, 2) for case in ("a", "b"))
    assert merge(SpanSet((), notes=(note,)) for note in notes).notes == notes


def read_one(put: Put, raw: object) -> Span:
    found = read(put(json.dumps(document(raw))))
    assert found.unreadable == ()
    (span,) = found.spans
    return span


def test_a_whole_span(put: Put) -> None:
    raw = {
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "agent"}}]},
        "scopeSpans": [
            {
                "scope": {"name": "punie.trace"},
                "spans": [
                    {
                        **RAW,
                        "attributes": [{"key": "n", "value": {"intValue": "5"}}],
                        "events": [
                            {
                                "name": "first token",
                                "timeUnixNano": "1764000000000000003",
                                "attributes": [{"key": "ok", "value": {"boolValue": True}}],
                            }
                        ],
                        "status": {"code": 2, "message": "too slow"},
                    }
                ],
            }
        ],
    }
    (span,) = read(put(json.dumps({"resourceSpans": [raw]}))).spans
    assert span == Span(
        READ.trace_id,
        READ.span_id,
        READ.parent_id,
        READ.name,
        READ.start_ns,
        READ.end_ns,
        SpanKind.CLIENT,
        attributes={"n": 5},
        status=StatusCode.ERROR,
        status_message="too slow",
        events=(Event("first token", 1764000000000000003, {"ok": True}),),
        resource={"service.name": "agent"},
        scope="punie.trace",
    )


@pytest.mark.parametrize(
    "habit",
    [
        {"traceId": RAW["traceId"].upper(), "spanId": RAW["spanId"].upper()},
        {"traceId": "ASNFZ4mrze8BI0VniavN7w==", "spanId": "ASNFZ4mrze8=", "parentSpanId": "/ty6mHZUMhA="},
        {"parentSpanId": "_ty6mHZUMhA"},
        {"startTimeUnixNano": 1764000000000000001, "endTimeUnixNano": 1764000000000000005},
        {"kind": "SPAN_KIND_CLIENT"},
        {"kind": "3"},
        {"status": None, "attributes": [], "events": None},
        {"newInOtlp2": {"a": 1}, "flags": 257, "traceState": "x=y", "links": []},
    ],
    ids=[
        "upper case",
        "base64",
        "base64 of URLs",
        "numbers",
        "kind by name",
        "kind as text",
        "empty",
        "unknown fields",
    ],
)
def test_writers_differ_and_the_span_does_not(put: Put, habit: dict[str, Any]) -> None:
    assert read_one(put, {**RAW, **habit}) == READ


@pytest.mark.parametrize(
    "root", [{}, {"parentSpanId": ""}, {"parentSpanId": "0000000000000000"}, {"parentSpanId": None}]
)
def test_a_root_has_no_parent(put: Put, root: dict[str, Any]) -> None:
    rest = {key: value for key, value in RAW.items() if key != "parentSpanId"}
    assert read_one(put, {**rest, **root}).parent_id is None


@pytest.mark.parametrize("end", [{}, {"endTimeUnixNano": "0"}, {"endTimeUnixNano": 0}])
def test_a_span_without_an_end_is_kept(put: Put, end: dict[str, Any]) -> None:
    rest = {key: value for key, value in RAW.items() if key != "endTimeUnixNano"}
    assert read_one(put, {**rest, **end}).end_ns == 0


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"stringValue": "a"}, "a"),
        ({"boolValue": False}, False),
        ({"intValue": "9223372036854775807"}, 2**63 - 1),
        ({"intValue": -5}, -5),
        ({"doubleValue": 0.25}, 0.25),
        ({"doubleValue": "Infinity"}, math.inf),
        ({"bytesValue": "AAE="}, "AAE="),
        ({"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": 1}, {}]}}, ("a", 1, None)),
        ({"arrayValue": {}}, ()),
        ({"kvlistValue": {"values": [{"key": "k", "value": {"arrayValue": {"values": []}}}]}}, {"k": ()}),
        ({}, None),
        ({"futureValue": 1}, None),
        (None, None),
    ],
)
def test_values(put: Put, value: object, read: object) -> None:
    span = read_one(put, {**RAW, "attributes": [{"key": "a", "value": value}]})
    assert span.attributes == {"a": read}


@pytest.mark.parametrize("kind", [99, "SPAN_KIND_NEW", None, True, 1.5])
def test_an_unknown_enum_is_its_zero(put: Put, kind: object) -> None:
    assert read_one(put, {**RAW, "kind": kind}).kind is SpanKind.UNSPECIFIED


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"traceId": None}, "no traceId"),
        ({"traceId": "xyz"}, "traceId 'xyz' is no id of 16 bytes, in hex or base64"),
        ({"spanId": "0000000000000000"}, "spanId is all zeros"),
        ({"spanId": 17}, "no spanId"),
        ({"parentSpanId": "hello!"}, "parentSpanId 'hello!' is no id of 8 bytes, in hex or base64"),
        ({"startTimeUnixNano": None}, "no startTimeUnixNano"),
        ({"startTimeUnixNano": "soon"}, "startTimeUnixNano 'soon' is no time in nanoseconds"),
        ({"startTimeUnixNano": "-1"}, "startTimeUnixNano '-1' is no time in nanoseconds"),
        ({"endTimeUnixNano": 2**64}, "endTimeUnixNano '18446744073709551616' is no time in nanoseconds"),
        ({"attributes": 7}, "attributes is no list of objects"),
    ],
)
def test_a_span_that_can_not_be_one_is_named_and_the_others_stay(
    put: Put, wrong: dict[str, Any], reason: str
) -> None:
    path = put(json.dumps(document({**RAW, **wrong}, RAW)))
    found = read(path)
    assert found.spans == (READ,)
    where = "resourceSpans[0].scopeSpans[0].spans[0]"
    assert found.unreadable == (UnreadableRecord(str(path), 1, f"{where}: {reason}"),)


def lines(*documents: object) -> str:
    return "".join(json.dumps(one) + "\n" for one in documents)


def test_a_journal_with_a_torn_last_line(put: Put) -> None:
    path = put(lines(document(RAW), document(RAW)) + json.dumps(document(RAW))[:60])
    for found in (read_journal(path), read(path)):
        assert found.spans == (READ, READ)
        (record,) = found.unreadable
        assert (record.file, record.line) == (str(path), 3)
        assert record.reason.startswith("torn line: ")


def test_every_cut_of_a_journal_is_read_up_to_the_cut(put: Put) -> None:
    content = lines(document(RAW), document(RAW)).encode()
    first = content.index(b"\n")
    for size in range(0, len(content), 7):
        found = read_journal(put(content[:size]))
        whole = (size >= first) + (size >= len(content) - 1)
        assert len(found.spans) == whole
        assert len(found.unreadable) == (
            content[:size].rpartition(b"\n")[2] != b"" and whole < 1 + (size > first)
        )


def test_bad_lines_in_the_middle_are_named(put: Put) -> None:
    metrics: dict[str, Any] = {"resourceMetrics": []}
    deep = "[" * 200_000
    path = put(
        lines(document(RAW)) + "{oops\n\n" + lines(metrics) + deep + "\n\xff\n" + lines([1], document(RAW))
    )
    found = read(path)
    assert found.spans == (READ, READ)
    reasons = {record.line: record.reason for record in found.unreadable}
    assert reasons[2].startswith("not JSON: ")
    assert [(note.slug, note.count) for note in found.notes] == [("other-signals", 1)]
    assert reasons[5].startswith("not JSON: ")
    assert reasons[6].startswith("not JSON: ")
    assert reasons[7] == "JSON, but no spans in a form that is known"
    assert len(reasons) == 4


def test_bytes_that_are_no_text_are_named(put: Put) -> None:
    found = read_journal(put(lines(document(RAW)).encode() + b"\xff\xfe\n"))
    assert (len(found.spans), [record.line for record in found.unreadable]) == (1, [2])


@pytest.mark.parametrize(
    "wrapped",
    [
        [document(RAW)],
        {"result": document(RAW)},
        {"batches": document(RAW)["resourceSpans"]},
        {"trace": document(RAW), "metrics": {"inspectedBytes": "9"}, "status": "COMPLETE"},
        {"trace": {"batches": document(RAW)["resourceSpans"]}},
        {"resourceSpans": [{"instrumentationLibrarySpans": [{"spans": [RAW]}]}]},
        document(RAW)["resourceSpans"][0],
        RAW,
        {"spans": [RAW]},
        {"data": document(RAW)},
    ],
    ids=[
        "list",
        "Jaeger's API v3",
        "Tempo",
        "Tempo's API v2",
        "Tempo's batches in a trace",
        "before 0.15",
        "one ResourceSpans",
        "one span",
        "bare spans",
        "data",
    ],
)
def test_other_wrappings(put: Put, wrapped: object) -> None:
    assert read(put(json.dumps(wrapped, indent=2))).spans == (READ,)


def test_a_part_of_a_trace_is_said(put: Put) -> None:
    found = read(put(json.dumps({"trace": document(RAW), "status": "PARTIAL", "message": "too large"})))
    assert found.spans == (READ,)
    (note,) = found.notes
    assert note.slug == "incomplete-trace"
    assert "Tempo sent a part of a trace alone: too large" in note.case


def test_an_end_that_nobody_set_is_the_last_time_that_there_is(put: Put) -> None:
    (span,) = read(put(lines(document({**RAW, "endTimeUnixNano": str(2**64 - 1)})))).spans
    assert span.end_ns == 2**63 - 1


def test_a_byte_order_mark(put: Put) -> None:
    assert read(put(b"\xef\xbb\xbf" + lines(document(RAW)).encode())).spans == (READ,)


def test_protobufs_own_field_names(put: Put) -> None:
    raw = {
        "trace_id": RAW["traceId"],
        "span_id": RAW["spanId"],
        "parent_span_id": RAW["parentSpanId"],
        "name": RAW["name"],
        "kind": "SPAN_KIND_CLIENT",
        "start_time_unix_nano": RAW["startTimeUnixNano"],
        "end_time_unix_nano": RAW["endTimeUnixNano"],
        "attributes": [{"key": "snake_key", "value": {"string_value": "a_b"}}],
    }
    found = read(put(json.dumps({"resource_spans": [{"scope_spans": [{"spans": [raw]}]}]})))
    assert found.spans == (replace(READ, attributes={"snake_key": "a_b"}),)


def test_half_a_surrogate_pair_becomes_a_replacement_and_a_whole_one_stays(put: Put) -> None:
    assert read_one(put, {**RAW, "name": "a\ud83d"}).name == "a\ufffd"
    assert read_one(put, {**RAW, "name": "\U0001f600"}).name == "\U0001f600"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "the file is empty"),
        (" \n", "the file is empty"),
        ("hello", "neither JSON nor a format that we know"),
        ("{\n", "neither JSON nor"),
        ('{"a": 1}', "no spans in a form that is known"),
        ('{"a": 1}\n{"b": 2}\n', "no spans in a form that is known"),
        ("[]", "no spans in a form that is known"),
        ("7", "no spans in a form that is known"),
        ("[" * 200_000, "neither JSON nor"),
    ],
)
def test_what_holds_no_spans_is_refused_with_the_files_name(put: Put, content: str, reason: str) -> None:
    path = put(content)
    with pytest.raises(InputError, match=reason) as caught:
        read(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("structure", [{"resourceSpans": 5}, {"resourceSpans": [{"scopeSpans": [7]}]}])
def test_a_broken_structure_is_named(put: Put, structure: object) -> None:
    (record,) = read(put(json.dumps(structure))).unreadable
    assert "no list of objects" in record.reason


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent.jsonl: no such file"):
        read(tmp_path / "absent.jsonl")


def test_files_merge_in_order(put: Put) -> None:
    one = read(put(lines(document(RAW)) + "{"))
    assert merge([one, one]).spans == (READ, READ)
    assert len(merge([one, one]).unreadable) == 2
    assert merge([]).spans == ()


@pytest.mark.parametrize(
    "status",
    ["ERROR", 2, "2", "StatusCode.ERROR", {"status_code": "ERROR"}, {"code": "STATUS_CODE_ERROR"}],
    ids=str,
)
def test_a_status_in_any_spelling(put: Put, status: object) -> None:
    assert read_one(put, {**RAW, "status": status}).status is StatusCode.ERROR


@pytest.mark.parametrize("name", ["status_code", "statusCode"])
def test_a_status_beside_the_span_s_other_fields(put: Put, name: str) -> None:
    assert read_one(put, {**RAW, name: "ERROR"}).status is StatusCode.ERROR


SIGNALS: Final[list[dict[str, list[object]]]] = [
    {"resourceLogs": []},
    {"resourceMetrics": []},
    {"resourceProfiles": []},
]


def test_other_signals_among_the_traces_are_counted_as_that(put: Put) -> None:
    found = read(put(lines(SIGNALS[0], document(RAW), *SIGNALS)))
    assert (found.spans, found.unreadable) == ((READ,), ())
    counts = {note.case.rpartition(": ")[2]: note.count for note in found.notes}
    assert counts == {"logs": 2, "metrics": 1, "profiles": 1}
    assert {note.slug for note in found.notes} == {"other-signals"}


@pytest.mark.parametrize(
    ("signal", "name"), list(zip(SIGNALS, ["logs", "metrics", "profiles"], strict=True)), ids=str
)
def test_a_file_of_another_signal_alone_is_named_as_that(put: Put, signal: object, name: str) -> None:
    with pytest.raises(InputError, match=f"no spans: it is OTLP, but of {name}$"):
        read(put(lines(signal)))


def pretty(*documents: object) -> str:
    return "\n".join(json.dumps(one, indent=1) for one in documents) + "\n"


def test_documents_behind_each_other_as_jq_prints_them(put: Put) -> None:
    found = read(put("\n" + pretty(document(RAW), document(RAW))))
    assert (found.spans, found.unreadable) == ((READ, READ), ())


def test_the_second_of_them_is_torn_and_named_with_its_line(put: Put) -> None:
    first = pretty(document(RAW))
    found = read(put(first + pretty(document(RAW))[:-20]))
    (record,) = found.unreadable
    assert found.spans == (READ,)
    assert record.line == first.count("\n") + 1
    assert record.reason.startswith("not JSON: ")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
def test_text_as_powershell_redirects_it(put: Put, encoding: str) -> None:
    content = lines(document(RAW), document({**RAW, "name": "für"})).encode(encoding)
    for written in (content, gzip.compress(content)):
        assert [span.name for span in read(put(written)).spans] == ["chat demo", "für"]


def test_a_text_sequence_has_a_mark_before_each_document(put: Put) -> None:
    assert read(put("".join("\x1e" + lines(document(RAW)) for _ in range(2)))).spans == (READ, READ)


def test_text_of_another_encoding_is_named_with_its_byte(put: Put) -> None:
    with pytest.raises(InputError, match="not UTF-8: byte 0xfc at"):
        read(put(json.dumps(document({**RAW, "name": "für"}), ensure_ascii=False).encode("latin-1")))


def test_damaged_utf_16_is_named_as_that(put: Put) -> None:
    with pytest.raises(InputError, match="damaged UTF-16"):
        read(put(lines(document(RAW)).encode("utf-16") + b"\x00"))


@pytest.mark.parametrize("blank", ["\n\n", " \r\n", "\n" * 100])
def test_a_blank_file_is_empty(put: Put, blank: str) -> None:
    with pytest.raises(InputError, match="the file is empty"):
        read(put(blank))


@pytest.mark.parametrize(
    "attributes",
    [{"n": 5, "list": ["a"]}, [{"key": "n", "value": 5}, {"key": "list", "value": ["a"]}]],
    ids=["an object", "bare values"],
)
def test_attributes_without_their_types(put: Put, attributes: object) -> None:
    assert read_one(put, {**RAW, "attributes": attributes}).attributes == {"n": 5, "list": ("a",)}
