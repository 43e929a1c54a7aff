"""Several runs in one place, each of which counts its server starts from 0: every source tells them apart alike."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
from clickhouse_front import PASSWORD, USER, clickhouse_front
from clickhouse_tables import JAEGER_SPANS, OTEL_TRACES, exporter_row, jaeger_row, make_database

from punie.trace import semconv
from punie.trace.__main__ import main
from punie.trace.model import Phase, Span

BEGIN_NS: Final = 1_764_000_000_000_000_000
STARTS: Final = 2  # of each run
RUNS: Final = 3


def _spans(side: str, run: int) -> list[Span]:
    """One run: three queries, three times each, in every server start. The run's id looks like a number."""
    found = []
    for number in range(9 * STARTS):
        begin = BEGIN_NS + (1000 * run + number) * 10**9
        attributes: dict[str, str | int] = {
            semconv.RUN_ID: f"{run + 1}" if side == "a" else f"{run + 1}00",
            semconv.QUERY_ID: f"q{number % 3}",
            semconv.QUERY_REPEAT: number // 3 % 3,
            semconv.QUERY_SERVER_START: number // 9,
            semconv.PHASE: Phase.MODEL.value,
        }
        ident = f"{1 + 'ab'.index(side):02x}{run:02x}{number:02x}"
        took = (100 + 10 * run + 7 * (number // 9) + number % 3) * 10**6
        found.append(
            Span(f"{ident:0>32}", f"{ident:0>16}", None, "query", begin, begin + took, attributes=attributes)
        )
    return found


def _otlp_lines(spans: Sequence[Span]) -> str:
    return "".join(
        json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [_otlp(span)]}]}]}) + "\n" for span in spans
    )


def _otlp(span: Span) -> dict[str, Any]:
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": [
            {"key": key, "value": {"intValue": v} if isinstance(v, int) else {"stringValue": v}}
            for key, v in span.attributes.items()
        ],
    }


def _jaeger(span: Span) -> dict[str, Any]:
    told = {
        "traceID": span.trace_id,
        "spanID": span.span_id,
        "operationName": span.name,
        "startTime": span.start_ns // 1000,
        "duration": (span.end_ns - span.start_ns) // 1000,
        "processID": "p",
        "tags": [
            {"key": key, "type": "int64" if isinstance(v, int) else "string", "value": v}
            for key, v in span.attributes.items()
        ],
    }
    return {"traceID": span.trace_id, "spans": [told], "processes": {"p": {"serviceName": "agent"}}}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, list[str]]]]:
    """The same two sides in every kind of place: the sources of each side."""
    folder = tmp_path_factory.mktemp("several")
    found: dict[str, dict[str, list[str]]] = {
        kind: {} for kind in ("files", "folder", "jaeger", "otel", "own")
    }
    with clickhouse_front() as port:
        for side in "ab":
            runs = [_spans(side, run) for run in range(RUNS)]
            spans = [span for run in runs for span in run]
            (folder / side).mkdir()
            for run, of_run in enumerate(runs):
                (folder / side / f"{run}.jsonl").write_text(_otlp_lines(of_run))
            (folder / f"{side}.json").write_text(json.dumps({"data": [_jaeger(span) for span in spans]}))
            make_database(f"otel_{side}", OTEL_TRACES, map(exporter_row, spans), "otel_traces")
            make_database(f"own_{side}", JAEGER_SPANS, map(jaeger_row, spans), "spans")
            url = f"clickhouse://{USER}:{quote(PASSWORD)}@127.0.0.1:{port}"
            found["files"][side] = [str(folder / side / f"{run}.jsonl") for run in range(RUNS)]
            found["folder"][side] = [str(folder / side)]
            found["jaeger"][side] = [str(folder / f"{side}.json")]
            found["otel"][side] = [f"{url}/otel_{side}"]
            found["own"][side] = [f"{url}/own_{side}"]
        yield found


@pytest.mark.parametrize("kind", ["files", "folder", "jaeger", "otel", "own"])
def test_each_run_s_server_starts_are_its_own(
    kind: str, sources: dict[str, dict[str, list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    compared = []
    for of in (sources["files"], sources[kind]):
        arguments = ["--a", *of["a"], "--b", *of["b"], "--format", "json"]
        assert main(["compare", *arguments]) == 0
        compared.append(json.loads(capsys.readouterr().out))
    first, second = compared
    assert second["design"]["starts"] == [RUNS * STARTS] * 2
    assert (second["design"], second["changes"]) == (first["design"], first["changes"])


def test_a_report_counts_them_too(
    sources: dict[str, dict[str, list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", *sources["folder"]["a"], "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {query["server_start"] for query in found["queries"]} == set(range(RUNS * STARTS))
    assert {(q["run_id"], q["start_in_run"]) for q in found["queries"]} == {
        (str(run + 1), start) for run in range(RUNS) for start in range(STARTS)
    }
    assert found["verdicts"]["generation"]["details"]["measured"]["share"]["server_starts"] == RUNS * STARTS


def test_a_run_that_lies_in_two_files_has_its_starts_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    halves = []
    for half in range(2):
        halves.append(tmp_path / f"{half}.jsonl")
        halves[-1].write_text(_otlp_lines(_spans("a", 0)[half::2]))
    other = tmp_path / "b.jsonl"
    other.write_text(_otlp_lines(_spans("b", 0)))
    arguments = ["--a", *map(str, halves), "--b", str(other), "--format", "json"]
    assert main(["compare", *arguments]) == 0
    assert json.loads(capsys.readouterr().out)["sides"]["a"]["server_starts"] == STARTS
