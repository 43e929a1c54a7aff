"""Documents in which backends pack their rows: the same run of four spans in each."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from small_traces import only, phases_ms

from punie.trace.errors import InputError
from punie.trace.store.sources import read_source

TRACE: Final = "6ab1f80057ab12cd34ef56a1b2c3d4e5"
START: Final = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
Raw = dict[str, Any]


class Part(NamedTuple):
    """A span of the run: its number, its parent's, times in milliseconds, tokens of the prompt and of the answer."""

    number: int
    kind: str
    above: int | None
    start: int
    end: int
    tokens: tuple[int, int] | None = None

    @property
    def said(self) -> Raw:
        """What the conventions say of it."""
        operation = {"agent": "invoke_agent", "llm": "chat", "tool": "execute_tool"}[self.kind]
        names = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
        counts = dict(zip(names, self.tokens, strict=True)) if self.tokens else {}
        return {"gen_ai.operation.name": operation, **counts}

    @property
    def usage(self) -> Raw:
        """Its tokens as OpenAI counts them."""
        return dict(zip(("prompt_tokens", "completion_tokens"), self.tokens or (), strict=False))


RUN: Final = (
    Part(1, "agent", None, 0, 6000),
    Part(2, "llm", 1, 100, 3100, (10, 2)),
    Part(3, "tool", 1, 3200, 4000),
    Part(4, "llm", 1, 4000, 5900, (20, 3)),
)


def at(ms: int) -> str:
    return (START + timedelta(milliseconds=ms)).isoformat().replace("+00:00", "Z")


def seconds(ms: int) -> float:
    return (START + timedelta(milliseconds=ms)).timestamp()


def span(number: int | None) -> str | None:
    return None if number is None else f"a{number:015}"


def uuid(number: int | None) -> str | None:
    return None if number is None else f"12345678-1234-5678-1234-{number:012}"


def table(names: Sequence[str]) -> list[list[Any]]:
    columns: dict[str, Callable[[Part], Any]] = {
        "id": lambda part: span(part.number),
        "operation_Id": lambda _: TRACE,
        "operation_ParentId": lambda part: span(part.above) or TRACE,
        "name": lambda part: part.kind,
        "timestamp": lambda part: at(part.start),
        "timestamp [UTC]": lambda part: (
            (START + timedelta(milliseconds=part.start)).strftime("%-m/%-d/%Y, %-I:%M:%S.%f")[:-3] + " PM"
        ),
        "duration": lambda part: part.end - part.start,
        "customDimensions": lambda part: json.dumps(part.said),
    }
    return [[columns[name](part) for name in names] for part in RUN]


def langsmith(part: Part) -> Raw:
    return {
        "id": uuid(part.number),
        "trace_id": uuid(1),
        "parent_run_id": uuid(part.above),
        "name": part.kind,
        "run_type": "chain" if part.kind == "agent" else part.kind,
        "start_time": at(part.start)[:-1],
        "end_time": at(part.end)[:-1],
        "first_token_time": at(part.start + 500) if part.tokens else None,
        **part.usage,
    }


def opik(part: Part) -> Raw:
    return {
        "id": uuid(part.number),
        "trace_id": uuid(60),
        "parent_span_id": uuid(part.above),
        "name": part.kind,
        "type": "general" if part.kind == "agent" else part.kind,
        "start_time": at(part.start),
        "end_time": at(part.end),
        "usage": part.usage,
    }


def elastic(part: Part) -> Raw:
    group = "span" if part.above else "transaction"
    told = {"id": span(part.number), "name": part.kind, "duration": {"us": (part.end - part.start) * 1_000}}
    return {
        "@timestamp": at(part.start),
        "trace": {"id": TRACE},
        "transaction": {"id": span(1)},
        group: told,
        "parent": {"id": span(part.above)} if part.above else {},
        "service": {"name": "app"},
        "event": {"outcome": "success"},
        "labels": {
            name.replace(".", "_"): value for name, value in part.said.items() if isinstance(value, str)
        },
        "numeric_labels": {
            name.replace(".", "_"): value for name, value in part.said.items() if isinstance(value, int)
        },
    }


def braintrust(part: Part) -> Raw:
    return {
        "id": uuid(50 + part.number),
        "span_id": uuid(part.number),
        "root_span_id": uuid(1),
        "span_parents": [uuid(part.above)] if part.above else None,
        "span_attributes": {"name": part.kind, "type": "task" if part.kind == "agent" else part.kind},
        "metrics": {"start": seconds(part.start), "end": seconds(part.end), **part.usage},
        "metadata": {"model": "m"},
    }


def weave(part: Part) -> Raw:
    sums = part.usage or {"prompt_tokens": 30, "completion_tokens": 5}
    return {
        "id": uuid(part.number),
        "op_name": f"weave:///e/p/op/{part.kind}:abc",
        "trace_id": uuid(1),
        "parent_id": uuid(part.above),
        "started_at": at(part.start),
        "ended_at": at(part.end),
        "attributes": {"weave": {"kind": part.kind}},
        "summary": {"usage": {"m": sums}},
    }


def datadog(part: Part) -> Raw:
    says = part.said
    nested = {"operation": {"name": says["gen_ai.operation.name"]}}
    if part.tokens:
        nested["usage"] = dict(zip(("input_tokens", "output_tokens"), part.tokens, strict=True))
    attributes = {
        "span_id": str(part.number),
        "trace_id": TRACE,
        "parent_id": str(part.above or 0),
        "start_timestamp": at(part.start),
        "end_timestamp": at(part.end),
        "resource_name": part.kind,
        "custom": {"gen_ai": nested},
    }
    return {"id": "AQ", "type": "spans", "attributes": attributes}


def llm_observability(part: Part) -> Raw:
    attributes = {
        "ml_app": "app",
        "span_id": str(part.number),
        "trace_id": TRACE,
        "parent_id": str(part.above) if part.above else "undefined",
        "name": part.kind,
        "span_kind": part.kind,
        "start_ms": round(seconds(part.start) * 1_000),
        "duration": float((part.end - part.start) * 1_000_000),
        "metrics": dict(zip(("input_tokens", "output_tokens"), part.tokens or (), strict=False)),
    }
    return {"id": "AQ", "type": "span", "attributes": attributes}


def openai_agents(part: Part) -> Raw:
    kind = {"llm": "response", "tool": "function"}.get(part.kind, part.kind)
    return {
        "object": "trace.span",
        "id": f"span_{part.number:024}",
        "trace_id": f"trace_{TRACE}",
        "parent_id": f"span_{part.above:024}" if part.above else None,
        "started_at": at(part.start),
        "ended_at": at(part.end),
        "span_data": {"type": kind, "usage": part.usage},
    }


def cloud_trace(part: Part) -> Raw:
    said = {
        name: {"stringValue": {"value": value}} if isinstance(value, str) else {"intValue": str(value)}
        for name, value in part.said.items()
    }
    return {
        "name": f"projects/p/traces/{TRACE}/spans/{span(part.number)}",
        "spanId": span(part.number),
        "parentSpanId": span(part.above),
        "displayName": {"value": part.kind},
        "startTime": at(part.start),
        "endTime": at(part.end),
        "attributes": {"attributeMap": said},
    }


def langfuse(part: Part) -> Raw:
    return {
        "id": uuid(part.number),
        "traceId": uuid(60),
        "parentObservationId": uuid(part.above),
        "name": part.kind,
        "type": {"llm": "GENERATION"}.get(part.kind, part.kind.upper()),
        "startTime": at(part.start),
        "endTime": at(part.end),
        "usageDetails": json.dumps(dict(zip(("input", "output"), part.tokens or (), strict=False))),
    }


def segment(part: Part) -> Raw:
    return {
        "id": span(part.number),
        "name": part.kind,
        "start_time": seconds(part.start),
        "end_time": seconds(part.end),
        "metadata": {"default": part.said},
    }


def annotated(part: Part) -> Raw:
    said = {name.replace(".", "_"): value for name, value in part.said.items()}
    more = {"type": "subsegment", "parent_id": span(part.above)} if part.above else {}
    return {**segment(part), "metadata": {}, "annotations": said, "trace_id": XRAY_TRACE, **more}


XRAY_TRACE: Final = f"1-{TRACE[:8]}-{TRACE[8:]}"
SEGMENT: Final = {
    **segment(RUN[0]),
    "trace_id": XRAY_TRACE,
    "subsegments": [segment(part) for part in RUN[1:]],
}


def printed_by_go(part: Part) -> Raw:
    return {
        "Name": part.kind,
        "SpanContext": {"TraceID": TRACE, "SpanID": span(part.number), "TraceFlags": "01"},
        "Parent": {"TraceID": TRACE, "SpanID": span(part.above) or "0" * 16},
        "SpanKind": 1,
        "StartTime": at(part.start),
        "EndTime": at(part.end),
        "Attributes": [
            {"Key": name, "Value": {"Type": "INT64" if isinstance(value, int) else "STRING", "Value": value}}
            for name, value in part.said.items()
        ],
        "Events": None,
        "Links": [{"SpanContext": {"TraceID": "7" * 32, "SpanID": "7" * 16}, "Attributes": None}],
        "Status": {"Code": "Unset", "Description": ""},
        "Resource": [{"Key": "service.name", "Value": {"Type": "STRING", "Value": "app"}}],
        "InstrumentationScope": {"Name": "main"},
    }


def mastra(part: Part) -> Raw:
    kinds = {"agent": "agent_run", "llm": "model_generation", "tool": "tool_call"}
    return {
        "id": span(part.number),
        "traceId": TRACE,
        "parentSpanId": span(part.above),
        "name": part.kind,
        "type": kinds[part.kind],
        "startTime": at(part.start),
        "endTime": at(part.end),
        "attributes": {"usage": dict(zip(("inputTokens", "outputTokens"), part.tokens or (), strict=False))},
        "isEvent": False,
    }


def without_kind(part: Part) -> Raw:
    """A call of Weave's as older clients write it: its callers' sums look the same."""
    summary = {} if part.kind == "tool" else weave(part)["summary"]
    return {**weave(part), "attributes": {"weave": {}}, "summary": summary}


def otlp(part: Part) -> Raw:
    return {
        "traceId": TRACE,
        "spanId": span(part.number),
        **({"parentSpanId": span(part.above)} if part.above else {}),
        "name": part.kind,
        "startTimeUnixNano": round(seconds(part.start) * 1_000) * 1_000_000,
        "endTimeUnixNano": round(seconds(part.end) * 1_000) * 1_000_000,
        "attributes": part.said,
    }


TEXTS: Final = [json.dumps(otlp(part)) for part in RUN]
AZURE: Final = (
    "timestamp",
    "id",
    "operation_Id",
    "operation_ParentId",
    "name",
    "duration",
    "customDimensions",
)
RUNS: Final = [langsmith(part) for part in RUN]
DOCUMENTS: Final[Mapping[str, object]] = {
    "azure, tables": {"tables": [{"columns": [{"name": name} for name in AZURE], "rows": table(AZURE)}]},
    "clickhouse, compact": {"meta": [{"name": name} for name in AZURE], "data": table(AZURE), "rows": 4},
    "es|ql": {"took": 1, "columns": [{"name": name} for name in AZURE], "values": table(AZURE)},
    "nerdgraph": {
        "data": {
            "actor": {
                "account": {"nrql": {"results": [dict(zip(AZURE, one, strict=True)) for one in table(AZURE)]}}
            }
        }
    },
    "langsmith, query": {"runs": RUNS, "cursors": {"next": None}},
    "langsmith, items": {"items": RUNS, "next_cursor": "x"},
    "langsmith, lists of parents": [
        {
            **run,
            "parent_run_id": None,
            "parent_run_ids": [run["parent_run_id"]] if run["parent_run_id"] else [],
        }
        for run in RUNS
    ],
    "mastra's storage": [mastra(part) for part in RUN],
    "go": [printed_by_go(part) for part in RUN],
    "cloudwatch, records": {
        "events": [{"message": text, "timestamp": 1} for text in TEXTS],
        "nextToken": "x",
    },
    "cloudwatch, insights": {
        "results": [
            [{"field": "@timestamp", "value": "x"}, {"field": "@message", "value": text}] for text in TEXTS
        ]
    },
    "langsmith, child runs": {**RUNS[0], "child_runs": RUNS[1:]},
    "opik, spans": {"page": 1, "content": [opik(part) for part in RUN]},
    "opik, export": {
        "trace": {"id": uuid(60), "name": "agent", "start_time": at(0), "end_time": at(6000)},
        "spans": [opik(part) for part in RUN],
    },
    "elastic apm": {"hits": {"hits": [{"_source": elastic(part)} for part in RUN]}},
    "braintrust": {"events": [braintrust(part) for part in RUN], "cursor": "x"},
    "braintrust, a function": [
        {
            **one,
            "span_attributes": {
                **one["span_attributes"],
                "type": "function" if at == 0 else one["span_attributes"]["type"],
            },
        }
        for at, one in enumerate(map(braintrust, RUN))
    ],
    "weave": [weave(part) for part in RUN],
    "datadog": {"data": [datadog(part) for part in RUN], "meta": {"page": {}}},
    "datadog, llm observability": {"data": [llm_observability(part) for part in RUN]},
    "openai's agents sdk": [openai_agents(part) for part in RUN],
    "google, written": {"spans": [cloud_trace(part) for part in RUN]},
    "x-ray, segment": SEGMENT,
    "x-ray, answer": {
        "Traces": [{"Id": XRAY_TRACE, "Segments": [{"Id": "x", "Document": json.dumps(SEGMENT)}]}]
    },
    "x-ray, apart": [annotated(part) for part in RUN],
}


def check(file: Path) -> None:
    found = read_source(str(file))
    assert found.unreadable == ()
    query = only(*found.spans)
    assert phases_ms(query) == {"model": 4900, "tool": 800, "framework": 300}
    assert (query.model_requests, query.tool_calls) == (2, 1)
    assert (query.input_tokens, query.output_tokens) == (30, 5)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_run_is_read_however_its_rows_are_packed(tmp_path: Path, document: object) -> None:
    file = tmp_path / "run.json"
    file.write_text(json.dumps(document))
    check(file)


@pytest.mark.parametrize("make", [opik, elastic, weave, braintrust, annotated, printed_by_go])
def test_a_run_is_read_from_a_row_a_line(tmp_path: Path, make: Callable[[Part], Raw]) -> None:
    file = tmp_path / "run.jsonl"
    file.write_text("\n".join(json.dumps(make(part)) for part in RUN))
    check(file)


@pytest.mark.parametrize(
    "logged",
    [
        lambda text: json.dumps({"log": f"{text}\n", "stream": "stdout", "time": at(0)}),
        lambda text: f"collector-1  | {text}",
        lambda text: f"2026-09-21T14:13:20.000000000Z stdout F {text}",
        lambda text: (
            f"[otel.javaagent 2026-09-21] INFO io.opentelemetry.OtlpJsonLoggingSpanExporter - {text}"
        ),
    ],
    ids=["docker", "docker compose", "kubernetes", "java"],
)
def test_a_run_is_read_out_of_a_log(tmp_path: Path, logged: Callable[[str], str]) -> None:
    file = tmp_path / "run.log.json"
    file.write_text("\n".join(map(logged, TEXTS)))
    check(file)


def test_a_row_whose_events_are_messages_is_no_list_of_a_log_s_records(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    row = {"trace_id": TRACE, "span_id": span(1), "name": "x", "start_time": at(0), "end_time": at(1)}
    file.write_text(json.dumps({**row, "events": [{"timestamp": at(0), "message": '{"a": 1}'}]}))
    assert len(read_source(str(file)).spans) == 1


def test_calls_of_weave_without_kinds_are_those_below_which_nothing_counts(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text(json.dumps([without_kind(part) for part in RUN]))
    query = only(*read_source(str(file)).spans)
    assert (query.model_requests, query.input_tokens, query.output_tokens) == (2, 30, 5)
    assert phases_ms(query) == {"model": 4900, "framework": 1100}


def test_what_elastic_dropped_of_a_transaction_is_said(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    rows = [elastic(part) for part in RUN]
    rows[0]["transaction"]["span_count"] = {"started": 3, "dropped": 31}
    file.write_text(json.dumps(rows))
    (note,) = read_source(str(file)).notes
    assert (note.slug, note.count) == ("incomplete-trace", 31)


def test_what_rows_and_receivers_say_that_they_lost_is_said(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    rows = [{**printed_by_go(part), "DroppedAttributes": 2, "DroppedEvents": 1} for part in RUN]
    refused = {"partialSuccess": {"rejectedSpans": "7", "errorMessage": "too large"}}
    file.write_text("\n".join(map(json.dumps, (*rows, refused))))
    found = {note.slug: note.count for note in read_source(str(file)).notes}
    assert found == {"dropped-attributes": 8, "dropped-events": 4, "incomplete-trace": 7}


@pytest.mark.parametrize(
    ("parents", "parent"),
    [
        ([uuid(1), uuid(2)], uuid(2)),
        (json.dumps([uuid(1), uuid(2)]), uuid(2)),
        (str([uuid(1), uuid(2)]), uuid(2)),
        ("[]", None),
        (float("nan"), None),
        (5, None),
    ],
)
def test_the_last_of_a_langsmith_run_s_parents_is_its_own(
    tmp_path: Path, parents: object, parent: str | None
) -> None:
    file = tmp_path / "run.json"
    run = {**RUNS[1], "parent_run_id": None}
    file.write_text(json.dumps([{**run, "parent_run_ids": parents}, {**run, "parent_run_id": parent}]))
    listed, named = read_source(str(file)).spans
    assert listed.parent_id == named.parent_id
    assert (named.parent_id is None) == (parent is None)


@pytest.mark.parametrize("name", ["Events", "Links", "Attributes", "Resource"])
def test_what_is_no_list_in_a_span_that_go_printed_is_left_out(tmp_path: Path, name: str) -> None:
    file = tmp_path / "run.json"
    file.write_text(json.dumps([{**printed_by_go(RUN[0]), name: 5}]))
    assert len(read_source(str(file)).spans) == 1


def test_a_link_of_datadog_leads_to_a_trace_by_half_of_its_id(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    links = json.dumps([{"trace_id": f"68e77a0000000000{7:016x}", "span_id": "1"}])
    row = {"trace_id": 9, "span_id": 1, "parent_id": 0, "name": "x", "resource": "x", "start": 10**18}
    file.write_text(json.dumps([{**row, "duration": 9, "meta": {"_dd.span_links": links}}]))
    (read,) = read_source(str(file)).spans
    assert read.linked == (f"{7:032x}",)


@pytest.mark.parametrize(
    "rows",
    [
        [["timestamp [UTC]", *AZURE[1:]], *table(["timestamp [UTC]", *AZURE[1:]])],
        [[*langfuse(RUN[0])], *[[*langfuse(part).values()] for part in RUN]],
        [[*RUNS[1]], *[[{**dict.fromkeys(RUNS[1]), **run}[name] for name in RUNS[1]] for run in RUNS]],
    ],
    ids=["azure's portal", "langfuse", "langsmith"],
)
def test_a_run_is_read_from_csv(tmp_path: Path, rows: Sequence[Sequence[Any]]) -> None:
    file, text = tmp_path / "run.csv", io.StringIO()
    csv.writer(text).writerows(rows)
    file.write_text(text.getvalue())
    check(file)


def test_the_first_token_of_a_langsmith_run_is_a_time_to_it(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text(json.dumps(RUNS))
    query = only(*read_source(str(file)).spans)
    assert query.time_to_first_chunk_ns == (500_000_000, 500_000_000)


def test_spans_of_an_opik_trace_without_a_parent_are_one_query(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    trace = {"id": uuid(60), "name": "agent", "start_time": at(0), "end_time": at(6000)}
    spans = [{**opik(part), "parent_span_id": None} for part in RUN[1:]]
    file.write_text(json.dumps({"trace": trace, "spans": spans}))
    check(file)


@pytest.mark.parametrize("fault", ["fault", "error", "throttle"])
def test_a_segment_s_fault_is_its_error(tmp_path: Path, fault: str) -> None:
    file = tmp_path / "segment.json"
    file.write_text(json.dumps({**SEGMENT, fault: True}))
    assert read_source(str(file)).spans[0].status.name == "ERROR"


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"Traces": [{"Segments": [{"Document": "{"}]}]}, "a segment's document is no JSON"),
        ({"Traces": [{"Segments": 7}]}, "Segments is no list of objects"),
        ({**SEGMENT, "subsegments": True}, "subsegments is no list of objects"),
        ({**SEGMENT, "id": "x"}, "segment: span id"),
    ],
)
def test_segments_that_are_none_are_refused_in_words(tmp_path: Path, document: object, says: str) -> None:
    file = tmp_path / "answer.json"
    file.write_text(json.dumps(document))
    assert says in read_source(str(file)).unreadable[0].reason


def tar_of(content: bytes) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        member = tarfile.TarInfo("spans.jsonl")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return written.getvalue()


NO_SPANS: Final = (
    ([{"request_id": "1", "request_created_at": at(0), "delay_ms": 900}], "Helicone"),
    ({"traces": [{"traceID": "1", "rootTraceName": "x", "durationMs": 9}]}, "Tempo's list of traces"),
    ({"traceEvents": [{"ph": "X", "ts": 1}]}, "Chrome's trace events"),
    ({"status": "success", "data": {"resultType": "matrix", "result": []}}, "Prometheus"),
    ([{"trace_id": "tr-1", "execution_duration": 9, "state": "OK"}], "MLflow's list of traces"),
)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "a page of HTML"),
        (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "a page of HTML"),
        (b"\nresourceSpans:\n- resource: {}\n", "neither JSON nor"),
        (b"PK\x03\x04\x14\0", "a ZIP archive"),
        (tar_of(b'{"resourceSpans": []}'), "a tar archive: unpack it"),
        (b"SQLite format 3\0", "a database of SQLite"),
        (b"# HELP x y\n# TYPE x counter\nx 1\n", "metrics of Prometheus"),
        (b'{"log": {"version": "1.2", "entries": []}}', "JSON, but no spans"),
        (b'{"events": [{"message": "{"}]}', "JSON, but no spans"),
        *((json.dumps(document).encode(), says) for document, says in NO_SPANS),
    ],
)
def test_a_file_in_place_of_spans_is_refused_as_what_it_is(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "traces.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match=says):
        read_source(str(file))


def test_the_head_of_a_trace_of_openai_s_agents_is_no_unreadable_record(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    head = {"object": "trace", "id": f"trace_{TRACE}", "workflow_name": "x", "group_id": None}
    file.write_text("\n".join(json.dumps(one) for one in (head, *map(openai_agents, RUN))))
    check(file)
