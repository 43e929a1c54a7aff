"""Jaeger's JSON becomes the spans that it was made of, and what can't is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from punie.trace import semconv
from punie.trace.model import Event, Span, SpanKind, SpanSet, StatusCode
from punie.trace.store.sources import read_source

TRACE_ID: Final = "0123456789abcdef0123456789abcdef"
RAW: Final[dict[str, Any]] = {
    "traceID": TRACE_ID,
    "spanID": "0123456789abcdef",
    "operationName": "chat demo",
    "references": [{"refType": "CHILD_OF", "traceID": TRACE_ID, "spanID": "fedcba9876543210"}],
    "startTime": 1764000000000001,
    "duration": 4,
    "processID": "p1",
}
READ: Final = Span(
    trace_id=TRACE_ID,
    span_id="0123456789abcdef",
    parent_id="fedcba9876543210",
    name="chat demo",
    start_ns=1764000000000001000,
    end_ns=1764000000000005000,
    kind=SpanKind.UNSPECIFIED,
    resource={"service.name": "agent"},
)
PROCESSES: Final = {"p1": {"serviceName": "agent", "tags": []}}


def trace(*spans: object) -> dict[str, Any]:
    return {"traceID": TRACE_ID, "spans": list(spans), "processes": PROCESSES}


def read(folder: Path, document: object) -> SpanSet:
    path = folder / "jaeger.json"
    path.write_text(json.dumps(document))
    return read_source(str(path))


def read_one(folder: Path, **changed: object) -> Span:
    found = read(folder, {"data": [trace({**RAW, **changed})]})
    assert found.unreadable == ()
    (span,) = found.spans
    return span


@pytest.mark.parametrize(
    "document",
    [
        {"data": [trace(RAW)], "total": 0, "limit": 0, "offset": 0, "errors": None},
        {"data": [trace(RAW)]},
        {"data": trace(RAW)},
        trace(RAW),
        [trace(RAW)],
    ],
    ids=["API", "page", "one in data", "bare trace", "list"],
)
def test_every_way_in_which_jaeger_writes_a_trace(tmp_path: Path, document: object) -> None:
    assert read(tmp_path, document) == SpanSet((READ,), (), resolution_ns=1000)


def test_one_trace_a_line(tmp_path: Path) -> None:
    path = tmp_path / "jaeger.jsonl"
    path.write_text(json.dumps(trace(RAW)) + "\n" + json.dumps(trace(RAW)) + "\n{\n")
    found = read_source(str(path))
    assert found.spans == (READ, READ)
    assert [record.line for record in found.unreadable] == [3]


@pytest.mark.parametrize("around", [lambda raw: raw, lambda raw: [raw], lambda raw: {"_source": raw}])
def test_a_span_alone_as_elasticsearch_keeps_it(tmp_path: Path, around: Callable[[object], object]) -> None:
    alone = {**RAW, "process": PROCESSES["p1"], "startTimeMillis": 1764000000000}
    found = read(tmp_path, around(alone))
    assert (found.spans, found.unreadable) == ((READ,), ())


def test_tags_keep_their_types(tmp_path: Path) -> None:
    tags = [
        {"key": "s", "type": "string", "value": "[not a list"},
        {"key": "b", "type": "bool", "value": False},
        {"key": "b2", "type": "bool", "value": "true"},
        {"key": "i", "type": "int64", "value": 5},
        {"key": "i2", "type": "int64", "value": "9007199254740993"},
        {"key": "f", "type": "float64", "value": 0.5},
        {"key": "f2", "type": "float64", "value": "1e3"},
        {"key": "x", "type": "binary", "value": "AAE="},
        {"key": "list", "type": "string", "value": '["stop", 1, true]'},
        {"key": "messages", "type": "string", "value": '[{"role": "user"}]'},
        {"key": "untyped", "value": 7},
    ]
    assert read_one(tmp_path, tags=tags).attributes == {
        "s": "[not a list",
        "b": False,
        "b2": True,
        "i": 5,
        "i2": 9007199254740993,
        "f": 0.5,
        "f2": 1000.0,
        "x": "AAE=",
        "list": ("stop", 1, True),
        "messages": '[{"role": "user"}]',
        "untyped": 7,
    }


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"span.kind": "client"}, replace(READ, kind=SpanKind.CLIENT)),
        ({"span.kind": "internal"}, replace(READ, kind=SpanKind.INTERNAL)),
        ({"error": True}, replace(READ, status=StatusCode.ERROR)),
        ({"error": "true"}, replace(READ, status=StatusCode.ERROR)),
        ({"error": False}, replace(READ, attributes={"error": False})),
        (
            {"error": True, "otel.status_code": "ERROR", "otel.status_description": "too slow"},
            replace(READ, status=StatusCode.ERROR, status_message="too slow"),
        ),
        ({"otel.status_code": "OK"}, replace(READ, status=StatusCode.OK)),
        ({"otel.scope.name": "pydantic-ai"}, replace(READ, scope="pydantic-ai")),
        ({"otel.library.name": "pydantic-ai"}, replace(READ, scope="pydantic-ai")),
    ],
)
def test_what_jaeger_made_tags_of(tmp_path: Path, tags: dict[str, object], expected: Span) -> None:
    raw = [{"key": key, "type": "", "value": value} for key, value in tags.items()]
    assert read_one(tmp_path, tags=raw) == expected


def test_logs_are_events_and_warnings_an_attribute(tmp_path: Path) -> None:
    logs = [
        {
            "timestamp": 1764000000000003,
            "fields": [
                {"key": "event", "type": "string", "value": "first token"},
                {"key": "n", "type": "int64", "value": 1},
            ],
        },
        {"timestamp": 1764000000000004, "fields": []},
    ]
    span = read_one(tmp_path, logs=logs, warnings=["clock skew"])
    assert span.events == (
        Event("first token", 1764000000000003000, {"n": 1}),
        Event("", 1764000000000004000),
    )
    assert span.attributes == {"@jaeger@warnings": ("clock skew",)}


PARENT: Final = RAW["references"][0]
FOLLOWS: Final = {**PARENT, "refType": "FOLLOWS_FROM", "spanID": "00000000000000aa"}
ELSEWHERE: Final = {**PARENT, "traceID": "f" * 32}


@pytest.mark.parametrize(
    ("references", "parent_id"),
    [
        ([], None),
        (None, None),
        ([ELSEWHERE], None),
        ([FOLLOWS], "00000000000000aa"),
        ([FOLLOWS, PARENT], "fedcba9876543210"),
        ([ELSEWHERE, PARENT], "fedcba9876543210"),
        ([{**PARENT, "traceID": TRACE_ID.upper(), "spanID": "AA"}], "00000000000000aa"),
    ],
)
def test_the_parent_is_a_reference_in_the_same_trace(
    tmp_path: Path, references: object, parent_id: str | None
) -> None:
    assert read_one(tmp_path, references=references).parent_id == parent_id


@pytest.mark.parametrize(
    ("changed", "follows"),
    [
        ({"references": [FOLLOWS]}, True),
        ({"references": [FOLLOWS, PARENT]}, False),
        ({"references": [FOLLOWS], "parentSpanID": "AA"}, False),
        ({"references": [{**FOLLOWS, "traceID": "f" * 32}]}, False),
        ({"references": [PARENT]}, False),
    ],
)
def test_a_span_that_only_follows_another_says_so(
    tmp_path: Path, changed: dict[str, object], follows: bool
) -> None:
    said = read_one(tmp_path, **changed).attributes.get(semconv.PARENT_REFERENCE)
    assert said == (semconv.FOLLOWS_FROM if follows else None)


def test_a_parent_as_jaeger_wrote_it_once(tmp_path: Path) -> None:
    assert read_one(tmp_path, references=[], parentSpanID="AA").parent_id == "00000000000000aa"


def test_processes(tmp_path: Path) -> None:
    process = {"serviceName": "mlx_lm", "tags": [{"key": "hostname", "type": "string", "value": "laptop"}]}
    assert read_one(tmp_path, process=process).resource == {"service.name": "mlx_lm", "host.name": "laptop"}
    assert read_one(tmp_path, processID="absent").resource == {}


def test_short_ids_of_any_case_are_filled_up(tmp_path: Path) -> None:
    span = read_one(tmp_path, traceID="AB", spanID="C", references=[])
    assert (span.trace_id, span.span_id) == ("ab".rjust(32, "0"), "c".rjust(16, "0"))


def test_numbers_as_text_and_spans_that_end_before_they_start(tmp_path: Path) -> None:
    assert read_one(tmp_path, startTime=str(RAW["startTime"]), duration="4") == READ
    assert read_one(tmp_path, duration=-1).duration_ns == -1000


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"traceID": "xyz"}, "traceID 'xyz' is no id of 16 bytes"),
        ({"spanID": None}, "no spanID"),
        ({"startTime": None}, "no startTime"),
        ({"startTime": "soon"}, "startTime 'soon' is no time in microseconds"),
        ({"startTime": 2**62}, "is no time in microseconds"),
        ({"duration": None}, "duration 'None' is no number"),
        ({"duration": -(2**60)}, "startTime + duration"),
        ({"tags": {"a": 1}}, "tags is no list of objects"),
        ({"references": [{"refType": "CHILD_OF", "spanID": "?"}]}, "spanID of a reference"),
    ],
)
def test_a_span_that_can_not_be_one_is_named_and_the_others_stay(
    tmp_path: Path, wrong: dict[str, object], reason: str
) -> None:
    found = read(tmp_path, {"data": [trace({**RAW, **wrong}, RAW)]})
    assert found.spans == (READ,)
    (record,) = found.unreadable
    assert (record.file, record.line) == (str(tmp_path / "jaeger.json"), 1)
    assert record.reason.startswith("data[0].spans[0]: ")
    assert reason in record.reason


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (7, "is no trace"),
        ({"spans": 7, "processes": {}}, "spans is no list"),
        ({"spans": [], "processes": []}, "processes is no object"),
        ({"spans": [], "processes": {"p1": 1}}, "a process is no object"),
    ],
)
def test_a_broken_trace_is_named_and_the_others_stay(tmp_path: Path, broken: object, reason: str) -> None:
    found = read(tmp_path, {"data": [broken, trace(RAW)]})
    assert found.spans == (READ,)
    (record,) = found.unreadable
    assert record.reason.startswith("data[0]: ")
    assert reason in record.reason


def test_errors_that_jaeger_reports_are_passed_on(tmp_path: Path) -> None:
    errors = [{"code": 500, "msg": "storage gone"}]
    found = read(tmp_path, {"data": [trace(RAW)], "errors": errors})
    assert found.spans == (READ,)
    assert "storage gone" in found.unreadable[0].reason
    found = read(tmp_path, {"data": None, "errors": errors})
    assert found.spans == ()
    assert "storage gone" in found.unreadable[0].reason
