"""Every format, whole: of nothing, of one query, of many, of a run that went wrong."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import jsonschema
import pytest
from msgspec.structs import replace
from records import MS, build_record
from sample_reports import about, broken, cache, empty, many, one, parallel, predicted, slow
from syrupy.assertion import SnapshotAssertion

from punie.trace.analysis.records import PathPart, QueryPath, QueryRecord
from punie.trace.analysis.summary.summary import analyse
from punie.trace.commands.gates import gate
from punie.trace.errors import ExitCode
from punie.trace.model import Disturbance, Phase
from punie.trace.report.builders.run import build_run
from punie.trace.report.content import RunContent
from punie.trace.report.formats import by_name
from punie.trace.report.published.schemas import schema_path
from punie.trace.report.wording.headline import headline


def render(format_name: str, report: RunContent) -> str:
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
    sequential = RunContent(about(), analyse([_sequential()]))
    for name in ("text", "md"):
        assert "waited for" in render(name, parallel())
        assert "waited for" not in render(name, sequential)
        assert "nothing ran in parallel" in render(name, sequential)


def _sequential() -> QueryRecord:
    path = QueryPath(20 * MS, (PathPart(Phase.TOOL, "execute_tool", 20 * MS, 20 * MS, 1, 1),))
    return build_record("plain", {Phase.TOOL: 20}, critical_path=path)


def test_broken_traces_are_said_before_any_number() -> None:
    text = render("text", broken())
    assert text.index("2 planned queries have no trace") < text.index("wall")
    assert text.index("cycle (1, no-verdict)") < text.index("wall")


def _crowd(count: int) -> RunContent:
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
    return RunContent(about(), analyse(records))


@pytest.mark.parametrize("format_name", ["text", "md"])
def test_of_more_queries_than_one_reads_the_slowest_are_shown(format_name: str) -> None:
    few = render(format_name, _crowd(40))
    assert all(few.count(f"query-{number:03}") >= 1 for number in range(40))
    assert "slowest of" not in few
    crowd = render(format_name, _crowd(500))
    assert "Queries: the 40 slowest of 500 (JSON and CSV have all)" in crowd
    table = crowd[crowd.index("the 40 slowest") : crowd.index("Failed, excluded from averages")]
    named = re.findall(r"^\W*(query-[0-9]{3}) ", table, flags=re.MULTILINE)
    assert named[:40] == [f"query-{number:03}" for number in range(499, 459, -1)]
    assert "and 10 more (JSON and CSV have all)" in crowd
    assert len(csv_rows(_crowd(500))) == 500


def csv_rows(report: RunContent) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render("csv", report))))


def test_what_nobody_scores_is_not_wrong() -> None:
    """Somebody else's spans have no score: no accuracy verdict and no 0 %, also where a query failed."""
    records = [build_record(f"q{n}", {Phase.TOOL: 100}, ok=None, error="E" if n else None) for n in range(3)]
    document = build_run(RunContent(about(), analyse(records)))
    assert "accuracy" not in {answer.slug for answer in document.answers}
    assert "No answer was scored" in render("text", RunContent(about(), analyse(records)))


def test_a_gate_on_what_can_t_be_judged_is_undecided(capsys: pytest.CaptureFixture[str]) -> None:
    document = build_run(RunContent(about(), analyse([build_record("q", {Phase.TOOL: 100}, ok=None)])))
    assert gate(document, ("accuracy",)) is ExitCode.GATE_UNDECIDED
    assert "gate accuracy: undecided" in capsys.readouterr().err


def test_a_warm_up_that_failed_is_shown() -> None:
    warm = build_record("warm-up-0", {Phase.TOOL: 100}, warmup=True, error="TimeoutError")
    text = render("text", RunContent(about(), analyse([warm, build_record("q", {Phase.TOOL: 100})])))
    assert "warm-up warm-up-0 #0.0: TimeoutError" in text


def test_an_unknown_network_keeps_its_contested_time_and_a_bound_that_holds() -> None:
    record = build_record("q", {Phase.HTTP: 100, Phase.TOOL: 50}, network_known=False)
    ledger = replace(record.ledger, contested_ns={**record.ledger.contested_ns, Phase.HTTP: 30 * MS})
    text = render("text", RunContent(about(), analyse([replace(record, ledger=ledger)])))
    (line,) = (line for line in text.splitlines() if line.strip().startswith("http"))
    assert re.findall(r"≥ 70.0 ms|not known|30.0 ms", line) == ["≥ 70.0 ms", "not known", "30.0 ms"]


def _asked(name: str, decode_ms: int, prefill_ms: int, **fields: Any) -> QueryRecord:  # noqa: ANN401 # of QueryRecord
    return build_record(name, {Phase.DECODE: decode_ms, Phase.PREFILL: prefill_ms, Phase.TOOL: 100}, **fields)


def test_failed_queries_stand_beside_a_ledger_only_where_there_is_one() -> None:
    right, wrong = _asked("right", 300, 600), _asked("wrong", 5, 5, ok=False)
    both, alone = (render("text", RunContent(about(), analyse(asked))) for asked in ([right, wrong], [wrong]))
    assert "Beside it, excluded from averages: 1 failed query" in both
    assert "\nExcluded from averages: 1 failed query" in alone


def test_the_first_line_is_what_a_person_would_repeat() -> None:
    asked = [_asked("short", 300, 600), _asked("async-await", 3000, 6000), _asked("bad", 5, 5, ok=False)]
    first, *_ = render("text", RunContent(about(), analyse(asked))).splitlines()
    assert first == "5.050 s a query: 65 % reading prompts, 33 % writing answers; slowest"
    assert headline(analyse(asked)).endswith("slowest async-await, 9.100 s; 1 of 3 queries failed")
    assert headline(analyse(asked[2:])) == ("no answer counts, 1 query failed; 110 ms a query: 91 % in tools")
    assert headline(analyse([])) == "no query was answered"
    disturbed = [
        replace(record, error=None, ok=True, disturbed_by=Disturbance.CLOCK_STEP) for record in asked
    ]
    assert headline(analyse(disturbed)) == "no answer counts, 3 queries disturbed"
    assert "failed" not in headline(analyse([replace(asked[0], repeat=1), *disturbed[1:]]))


def test_repeats_that_count_in_no_average_are_counted_apart() -> None:
    """The second execution finds its prompt in the cache; only the first one counts."""
    first = _asked("q", 100, 50, cache="server", cached_tokens=0)
    again = _asked("q", 100, 5, cache="server", cached_tokens=90, repeat=1, start_ns=10**9)
    again = replace(again, is_cached_repeat=True)
    text = render("text", RunContent(about(), analyse([first, again])))
    assert re.search(r"query +asked +right +counted", text)
    assert re.search(r"\n +q +2 +2 +1 ", text)
    assert "1 repeat found the prompt cache warm" in text
    assert "counted" not in render("text", many())
