"""Lines read as typed structs give exactly the spans, the notes and the refusals of lines read with care."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_damage import OTLP, change, odd, paths
from spans_generator import generate, otlp_lines

from punie.trace.model import Span
from punie.trace.store.files.json_documents import JsonDocuments, lines_of
from punie.trace.store.gathering import SpanGatherer
from punie.trace.store.json_files import read_document, read_journal
from punie.trace.store.otlp.typed_lines import TypedLines


def agree(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with_care = SpanGatherer(str(path))
    for document in JsonDocuments(lines_of(content)):
        read_document(document, with_care)
    assert repr(read_journal(path)) == repr(with_care.result())


def typed(*lines: bytes) -> list[Span]:
    """The spans of `lines`, which are of the plainest writing."""
    gatherer = SpanGatherer("lines")
    reader = TypedLines(gatherer)
    assert all(reader.take(line) for line in lines)
    return gatherer.spans


def test_a_journal_is_of_the_plainest_writing(tmp_path: Path) -> None:
    content = "".join(f"{line}\n" for line in otlp_lines(generate(120))).encode()
    assert len(typed(*content.splitlines())) == content.count(b"\n") > 2_000
    agree(tmp_path / "agent-1.jsonl", content)


def test_one_line_that_needs_care_changes_neither_order_nor_neighbours(tmp_path: Path) -> None:
    lines = [line.encode() for line in otlp_lines(generate(100))]
    lines[7] = lines[7].replace(b'"traceId":"', b'"traceId":"x')
    lines[11] = lines[11].upper().replace(b"RESOURCESPANS", b"resourceSpans")
    lines[20] = lines[20].replace(b'"kind":', b'"kind":"SPAN_KIND_CLIENT","was":')
    agree(tmp_path / "agent-1.jsonl", b"\n".join(lines) + b"\n")


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_anywhere_is_read_alike(tmp_path: Path, data: st.DataObject) -> None:
    changed: Any = change(OTLP, data.draw(st.sampled_from(paths(OTLP))), data.draw(odd))
    agree(tmp_path / "agent-1.jsonl", json.dumps(changed).encode() + b"\n")


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_read_alike(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(json.dumps(OTLP).encode() + b"\n")
    start = data.draw(st.integers(0, len(content) - 1))
    content[start : start + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    agree(tmp_path / "agent-1.jsonl", bytes(content))


@pytest.mark.parametrize(
    "value",
    [
        {"intValue": 2**63},
        {"intValue": 10**25},
        {"intValue": -0.0},
        {"doubleValue": 10**25},
        {"boolValue": 1},
        {"boolValue": "true"},
        {"intValue": "1", "stringValue": "a"},
        {"stringValue": "a", "intValue": "1"},
        {"stringValue": "\ud83dA"},
        {"stringValue": "\U0001f600"},
        {"stringValue": None},
    ],
    ids=repr,
)
def test_values_are_read_alike(tmp_path: Path, value: object) -> None:
    way = ("resourceSpans", 0, "scopeSpans", 0, "spans", 0, "attributes", 0, "value")
    agree(tmp_path / "agent-1.jsonl", json.dumps(change(OTLP, way, value)).encode() + b"\n")


PLAIN = (
    '{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"agent"}}]},'
    '"scopeSpans":[{"scope":{"name":"punie.trace"},"spans":[{"traceId":"%s","spanId":"%016x","parentSpanId":"",'
    '"startTimeUnixNano":"1","endTimeUnixNano":"2","name":"a","kind":1,"attributes":[%s],"status":{}}]}]}]}'
)
SPAN = (
    '{"traceId":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","spanId":"bbbbbbbbbbbbbbbb",'
    '"startTimeUnixNano":"1","endTimeUnixNano":"2"}'
)
CLOSED = "]}]}]}"
HOSTILE_HEADS = {
    "spans of an unknown field": '{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans" :[]}]}],'
    '"other":[{"foo":[{"spans":[',
    "spans under a longer key": '{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans" :[],"x\\"spans":[',
    "spans twice": '{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans" :['
    + SPAN
    + '],"spans":[',
    "a second scope": '{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans" :['
    + SPAN
    + ']},{"scope":{"name":"second"},"spans":[',
    "a second resource": '{"resourceSpans":[{"resource":{},"scopeSpans":[]},'
    '{"resource":{},"scopeSpans":[{"scope":{},"spans":[',
    "a result": '{"result":{"resourceSpans":[]},"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[',
    "no scope": '{"resourceSpans":[{"resource":{},"scopeSpans":[{"spans":[',
    "no resource": '{"resourceSpans":[{"scopeSpans":[{"scope":{},"spans":[',
    "an older name": '{"resourceSpans":[{"resource":{},"instrumentationLibrarySpans":[{"spans":[',
    "damage": '{"resourceSpans":[{"resource":{]},"scopeSpans":[{"scope":{},"spans":[',
    "an escape": '{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{"name":"\\u0041"},"spans":[',
    "half an escape": '{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{"name":"\\ud800"},"spans":[',
    "a plain one": '{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{"name":"s"},"spans":[',
}


@pytest.mark.parametrize("head", HOSTILE_HEADS.values(), ids=HOSTILE_HEADS)
@pytest.mark.parametrize(
    "body",
    [
        SPAN,
        f"{SPAN},{SPAN}",
        "",
        "null",
        "{}",
        f"{SPAN},",
        f'{SPAN}],"a":[{SPAN}',
        SPAN + ']}]}]} {"a":[{"b":[{"c":[',
    ],
    ids=["one", "two", "none", "null", "empty", "comma", "more keys", "more documents"],
)
@pytest.mark.parametrize(
    "tail", [CLOSED, '],"schemaUrl":"x"}]}]}', "]}]} ]}", CLOSED + "\r", CLOSED + "}", "]}]}"]
)
def test_what_stands_around_a_span_is_never_taken_for_what_it_is_not(
    tmp_path: Path, head: str, body: str, tail: str
) -> None:
    plain = PLAIN % ("c" * 32, 7, "")
    content = "\n".join([plain, head + body + tail, plain, ""]).encode()
    agree(tmp_path / "agent-1.jsonl", content)


def test_a_document_torn_over_two_lines_stays_torn(tmp_path: Path) -> None:
    plain = PLAIN % ("c" * 32, 7, "")
    first, second = plain.split(',"name"')
    agree(tmp_path / "agent-1.jsonl", f'{first},\n"name"{second}\n{plain}\n'.encode())


values = st.recursive(
    st.one_of(
        st.builds(lambda text: {"stringValue": text}, st.text(max_size=8) | st.none()),
        st.builds(lambda number: {"intValue": number}, st.integers(-(2**66), 2**66)),
        st.builds(lambda number: {"intValue": str(number)}, st.integers(-(2**66), 2**66)),
        st.builds(lambda number: {"doubleValue": number}, st.floats() | st.sampled_from(["NaN", "1e5", "x"])),
        st.builds(lambda truth: {"boolValue": truth}, st.booleans() | st.sampled_from(["true", 1, None])),
        st.sampled_from(
            [None, {}, {"bytesValue": "AA=="}, {"new": 1}, {"arrayValue": None}, {"kvlistValue": {}}, 5]
        ),
    ),
    lambda inner: st.one_of(
        st.builds(lambda some: {"arrayValue": {"values": some}}, st.lists(inner, max_size=3)),
        st.builds(
            lambda some: {"kvlistValue": {"values": [{"key": key, "value": value} for key, value in some]}},
            st.lists(st.tuples(st.text(max_size=3), inner), max_size=3),
        ),
    ),
    max_leaves=5,
)
written_pairs = st.builds(
    lambda key, value, spaced, ascii_only: json.dumps(
        {"key": key, "value": value},
        separators=(" , ", " : ") if spaced else (",", ":"),
        ensure_ascii=ascii_only,
    ),
    st.sampled_from(["a", "b", "\u00e9", 'a"b', ""]),
    values,
    st.booleans(),
    st.booleans(),
) | st.sampled_from(
    [
        '{"key":"a","key":"b","value":{"intValue":1}}',
        '{"key":"a","value":{"intValue":1,"intValue":2}}',
        '{"\\u006bey":"a","value":{"stringValue":"escaped"}}',
        '{"key":"a","value":{"stringValue":"\\q"}}',
        '{"key":"a","more":[01],"value":{}}',
        '{"key":null}',
        '{"value":{"intValue":1}}',
        '{"key":"a"}',
        "null",
        "[]",
        "[" * 3_000 + "]" * 3_000,
        '{"key":"deep","value":' + '{"arrayValue":{"values":[' * 400 + "]}}" * 400 + "}",
    ]
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(
        st.tuples(st.lists(written_pairs, max_size=3), st.sampled_from([b"", b"\xff", b"\xc3\xa9"])),
        max_size=4,
    )
)
def test_attributes_of_any_writing_are_read_alike(
    tmp_path: Path, lines: list[tuple[list[str], bytes]]
) -> None:
    content = b"".join(
        (PLAIN % ("c" * 32, number + 1, ",".join(some)))
        .encode("utf-8", "replace")
        .replace(b'"name":"a"', b'"name":"a' + name + b'"')
        + b"\n"
        for number, (some, name) in enumerate(lines)
    )
    agree(tmp_path / "agent-1.jsonl", content)


def test_what_the_sdk_dropped_is_noted_alike(tmp_path: Path) -> None:
    counts = '"droppedAttributesCount":%s,"droppedEventsCount":1,"droppedLinksCount":"2","name":"a"'
    lines = [
        (PLAIN % ("c" * 32, 7, "")).replace('"name":"a"', counts % count) for count in ("5", '"6"', "-1")
    ]
    agree(tmp_path / "agent-1.jsonl", "\n".join(lines).encode() + b"\n")
    notes = {note.slug: note.count for note in read_journal(tmp_path / "agent-1.jsonl").notes}
    assert notes == {"dropped-attributes": 11, "dropped-events": 9}


def test_lists_of_numbers_are_read_alike(tmp_path: Path) -> None:
    numbers = [*range(4_500), *[7, 5_000] * 1_500, *["-3", "007", 10**19, "1_0", "9" * 19, " 5"]]
    pairs = [f'{{"key":"n","value":{{"intValue":"{number}"}}}},{{"key":"m"}}' for number in numbers]
    pairs.append('{"key":"l","value":{"kvlistValue":{"values":[{"key":"n","value":{"intValue":"5"}}]}}}')
    pairs.append('{"key":"n","value":{"intValue":"5"},"value":{"intValue":"6"}}')
    lines = [PLAIN % ("c" * 32, number + 1, pair) for number, pair in enumerate(pairs)]
    agree(tmp_path / "agent-1.jsonl", "\n".join(lines).encode() + b"\n")


def test_an_export_without_spans_is_nothing_that_is_wrong(tmp_path: Path) -> None:
    line = next(iter(otlp_lines(generate(1))))
    path = tmp_path / "spans.jsonl"
    path.write_text(f'{{}}\n{line}\n[]\n{{"resourceSpans": []}}\n{{"other": 1}}\n')
    source = read_journal(path)
    assert source.spans
    assert [one.line for one in source.unreadable] == [5]
