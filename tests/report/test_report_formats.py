"""Every format, whole: of nothing, of one query, of many, of a run that went wrong."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from records import MS, build_record
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from punie.trace.analysis.calls.requests import MessageList, ModelRequest
from punie.trace.analysis.calls.usage import TokenCounts
from punie.trace.analysis.integrity.finding import IntegrityFinding
from punie.trace.analysis.integrity.kinds import Effect
from punie.trace.analysis.records import PathPart, PlannedQuery, QueryPath, QueryRecord
from punie.trace.analysis.summary.summary import analyse
from punie.trace.analysis.verdicts.memory import MemoryUse
from punie.trace.model import Phase, Provenance
from punie.trace.report.builders.run import build_run
from punie.trace.report.content import About, Report
from punie.trace.report.formats import FORMATS, by_ending, by_name
from punie.trace.report.published.schemas import schema_path

HOSTILE = "\x1b[31m</script><b>|`x`\n# not a heading [a](b)"


def _about(**fields: Any) -> About:  # noqa: ANN401 # fields of About
    return About(
        source="runs/2026-11-23T14-05-09-demo",
        spans=112,
        traces=7,
        run_id="2026-11-23T14-05-09-demo",
        suite="discrimination",
        model="model demo",
        notes=("A note beside every number.",),
        **fields,
    )


def _query(query_id: str, repeat: int = 0, **fields: Any) -> QueryRecord:  # noqa: ANN401 # fields of QueryRecord
    phases = {
        Phase.DECODE: 400 + 7 * repeat + len(query_id),
        Phase.PREFILL: 150,
        Phase.QUEUE: 2,
        Phase.HTTP: 3,
        Phase.TOOL: 60,
        Phase.FRAMEWORK: 20 + repeat,
    }
    tokens = {"input_tokens": 320, "cached_tokens": 190, "output_tokens": 40, "tool_calls": 1}
    return build_record(query_id, phases, repeat=repeat, **({"start_ns": repeat * 10**9} | tokens | fields))


def empty() -> Report:
    return Report(_about(), analyse([]))


def one() -> Report:
    return Report(
        _about(), analyse([_query("view-functions")], memory=MemoryUse(141_200_000, limit_bytes=10**9))
    )


def many() -> Report:
    ids = ("view-functions", "user-serializer", "async-await", "dependency-injection", "orm-or-sql")
    warm = [_query("warm-up-0", warmup=True), _query("warm-up-1", warmup=True)]
    return Report(_about(), analyse([*warm, *(_query(i, repeat) for repeat in range(5) for i in ids)]))


def broken() -> Report:
    records = [
        _query(
            "view-functions",
            ok=False,
            failures=("ungrounded",),
            failure_details=(f"no tool returned {HOSTILE}",),
        ),
        _query("user-serializer", ok=False, error=f"TimeoutError: {HOSTILE}"),
        _query("async-await", network_known=False, ok=None),
    ]
    findings = [
        IntegrityFinding("duplicate-span", Effect.SHOWN, 2, "identical copies, dropped", ("a/b",)),
        IntegrityFinding("cycle", Effect.NO_VERDICT, 1, "spans that are their own ancestors", ("c/d",)),
        IntegrityFinding("missing-query", Effect.NO_VERDICT, 2, "not asked", ()),
        IntegrityFinding("missing-parent", Effect.DOWNGRADED, 7, "5 parents", ("e/f", "e/g", "e/h"), 2),
        IntegrityFinding(
            "unreadable-record",
            Effect.DOWNGRADED,
            7,
            "records that could not be read",
            tuple(f"{'a-long-folder/' * 8}spans.jsonl:{line}: not JSON: {HOSTILE}" for line in range(2, 9)),
        ),
    ]
    planned = [PlannedQuery("orm-or-sql", 0, 0, 3), PlannedQuery("dependency-injection", 0, 0, 4)]
    return Report(_about(planned=5), analyse(records, findings, missing=planned))


def _request(turn: int, messages: str, tokens: TokenCounts, query: int = 0) -> ModelRequest:
    start_ns = 10**9 * (2 * query + turn)
    return ModelRequest(
        query_key=f"q{query}",
        query_id=("view-functions", "user-serializer")[query],
        trace_id=f"{query:032x}",
        span_id=f"{turn:016x}",
        warmup=False,
        repeat=0,
        server_start=0,
        turn=turn,
        server="s",
        agent="assistant",
        start_ns=start_ns,
        end_ns=start_ns + 10**8,
        tokens=tokens,
        prefill_ns=40_000_000,
        prefill_known=Provenance.SERVER,
        told=MessageList(tuple(messages), tuple(100 * ord(m) for m in messages)),
    )


def cache() -> Report:
    """One query whose second turn was read again whole, one whose first message is another."""
    requests = (
        _request(0, "PU", TokenCounts(120, 0, 20)),
        _request(1, "PUAT", TokenCounts(320, 0, 20)),
        _request(0, "QV", TokenCounts(125, 10, 20), query=1),
        _request(1, "QVAT", TokenCounts(330, 140, 20), query=1),
    )
    records = [_query("view-functions", cache="server"), _query("user-serializer", cache="server")]
    return Report(_about(), analyse(records, requests=requests))


def predicted() -> Report:
    """Five queries of one turn each, whose costs tell what shorter output would save, and one that was cut."""
    requests, records = [], []
    for number, (uncached, output) in enumerate(((60, 20), (90, 35), (75, 60), (40, 25), (66, 44), (80, 9))):
        name = f"query-{number}"
        start_ns = number * 10**9
        end_ns = start_ns + (12 + uncached + 3 * output + number) * MS
        record = _query(name, truncated=int(number == 5), start_ns=start_ns)
        asked = _request(0, "", TokenCounts(200, 200 - uncached, output))
        request = replace(
            asked,
            query_key=record.ledger.query_key,
            query_id=name,
            trace_id=name,
            start_ns=start_ns,
            end_ns=end_ns,
        )
        requests.append(request)
        records.append(record)
    return Report(_about(), analyse(records, requests=requests, target_ns=500 * MS))


def parallel() -> Report:
    """Two queries with three tools at once, of which one is waited for."""
    return Report(_about(), analyse([_parallel(number) for number in range(2)]))


def slow() -> Report:
    """Many of them, of which the last two have to wait for long."""
    return Report(_about(), analyse([_parallel(number) for number in range(24)]))


def _parallel(number: int) -> QueryRecord:
    found_ms = 60 if number < 22 else 400
    phases = {Phase.DECODE: 300 + number, Phase.TOOL: found_ms, Phase.FRAMEWORK: 12}
    parts = (
        PathPart(Phase.DECODE, "decode", phases[Phase.DECODE] * MS, phases[Phase.DECODE] * MS, 2, 2),
        PathPart(Phase.TOOL, "execute_tool run_command", found_ms * MS, 2 * found_ms * MS, 1, 3),
        PathPart(Phase.FRAMEWORK, f"query {HOSTILE}", 12 * MS, 12 * MS, 1, 1),
    )
    path = QueryPath(sum(phases.values()) * MS, parts)
    path.check()
    return build_record(f"search-{number:02}", phases, start_ns=number * 10**9, critical_path=path)


def render(format_name: str, report: Report) -> str:
    return by_name(format_name).write(build_run(report))


REPORTS = {
    "empty": empty,
    "one": one,
    "many": many,
    "broken": broken,
    "cache": cache,
    "parallel": parallel,
    "predicted": predicted,
}


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("format_name", [entry.name for entry in FORMATS])
def test_whole_report(format_name: str, name: str, snapshot: SnapshotAssertion) -> None:
    text = render(format_name, REPORTS[name]())
    assert text.endswith("\n")
    assert text == snapshot


@pytest.mark.parametrize("name", [*REPORTS, "slow"])
def test_text_fits_80_columns(name: str) -> None:
    text = render("text", (REPORTS | {"slow": slow})[name]())
    assert max(cell_len(line) for line in text.splitlines()) <= 80
    assert "…" not in text


@pytest.mark.parametrize("name", [*REPORTS, "slow"])
def test_json_is_as_its_schema_says(name: str) -> None:
    schema = json.loads(schema_path("run").read_text())
    document = json.loads(render("json", (REPORTS | {"slow": slow})[name]()))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    for query in document["queries"]:
        assert sum(query["phases_ns"].values()) == query["wall_ns"]
        path = query["critical_path"]
        if path is not None:
            assert sum(path["phases_ns"].values()) == query["wall_ns"]
            assert sum(part["ns"] for part in path["parts"]) == query["wall_ns"]


@pytest.mark.parametrize("name", REPORTS)
def test_csv_has_one_row_a_query(name: str) -> None:
    report = REPORTS[name]()
    rows = csv_rows(report)
    assert len(rows) == len(report.analysis.records) + len(report.analysis.warmup)
    for row in rows:
        assert sum(int(row[f"{phase.value}_ns"]) for phase in Phase) == int(row["wall_ns"])


def test_a_report_without_anything_to_say_of_the_cache_says_nothing() -> None:
    for name in ("text", "md"):
        assert "Prompt cache" not in render(name, many())


@pytest.mark.parametrize("format_name", ["text", "md"])
def test_what_makes_the_slow_ones_slow(format_name: str, snapshot: SnapshotAssertion) -> None:
    text = render(format_name, slow())
    assert text[text.index("What makes the slow ones slow") :] == snapshot


def test_the_critical_path_is_a_table_only_where_it_says_more_than_the_ledger() -> None:
    sequential = Report(_about(), analyse([_sequential()]))
    for name in ("text", "md"):
        assert "waited for" in render(name, parallel())
        assert "waited for" not in render(name, sequential)
        assert "nothing ran in parallel" in render(name, sequential)


def _sequential() -> QueryRecord:
    path = QueryPath(20 * MS, (PathPart(Phase.TOOL, "execute_tool", 20 * MS, 20 * MS, 1, 1),))
    return build_record("plain", {Phase.TOOL: 20}, critical_path=path)


@pytest.mark.parametrize("build", [broken, parallel])
def test_a_model_s_words_stay_words_in_markdown(build: Callable[[], Report]) -> None:
    text = render("md", build())
    assert "</script>" not in text
    assert "\n# not a heading" not in text
    assert "[a](b)" not in text


@pytest.mark.parametrize("build", [broken, parallel])
def test_a_model_s_words_don_t_reach_the_terminal_as_commands(build: Callable[[], Report]) -> None:
    assert "\x1b" not in render("text", build())


def test_broken_traces_are_said_before_any_number() -> None:
    text = render("text", broken())
    assert text.index("2 planned queries have no trace") < text.index("wall")
    assert text.index("cycle (1, no-verdict)") < text.index("wall")


@pytest.mark.parametrize(
    ("ending", "name"), [(".JSON", "json"), (".md", "md"), (".csv", "csv"), (".txt", "text")]
)
def test_the_ending_tells_the_format(ending: str, name: str) -> None:
    entry = by_ending(f"report{ending}")
    assert entry is not None
    assert entry.name == name
    assert by_ending("a.doc") is None


def _crowd(count: int) -> Report:
    """So many queries, each a millisecond longer than the one before; every tenth failed."""
    records = [
        build_record(
            f"query-{number:03}",
            {Phase.DECODE: 300 + number},
            start_ns=number * 10**9,
            ok=number % 10 != 0,
        )
        for number in range(count)
    ]
    return Report(_about(), analyse(records))


@pytest.mark.parametrize("format_name", ["text", "md"])
def test_of_more_queries_than_one_reads_the_slowest_are_shown(format_name: str) -> None:
    few = render(format_name, _crowd(40))
    assert all(few.count(f"query-{number:03}") >= 1 for number in range(40))
    assert "slowest" not in few
    crowd = render(format_name, _crowd(500))
    assert "Queries: the 40 slowest of 500 (JSON and CSV have all)" in crowd
    table = crowd[crowd.index("the 40 slowest") : crowd.index("Failed, in no average")]
    named = re.findall(r"^\W*(query-[0-9]{3}) ", table, flags=re.MULTILINE)
    assert named[:40] == [f"query-{number:03}" for number in range(499, 459, -1)]
    assert "and 10 more (JSON and CSV have all)" in crowd
    assert len(csv_rows(_crowd(500))) == 500


def csv_rows(report: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render("csv", report))))
