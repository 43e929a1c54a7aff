"""Every format, whole: of nothing, of one query, of many, of a run that went wrong."""

from __future__ import annotations

import csv
import io
import json
import re

import jsonschema
import pytest
from records import MS, build_record
from sample_reports import about, broken, cache, empty, many, one, parallel, predicted, slow
from syrupy.assertion import SnapshotAssertion

from punie.trace.analysis.records import PathPart, QueryPath, QueryRecord
from punie.trace.analysis.summary.summary import analyse
from punie.trace.model import Phase
from punie.trace.report.builders.run import build_run
from punie.trace.report.content import Report
from punie.trace.report.formats import by_name
from punie.trace.report.published.schemas import schema_path


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
    sequential = Report(about(), analyse([_sequential()]))
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
    return Report(about(), analyse(records))


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
