"""`report A B`: several sources are one report, with their server starts kept apart and nothing counted twice."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from written_spans import otlp_lines

from punie.trace import semconv
from punie.trace.__main__ import main
from punie.trace.analysis.records import PlannedQuery
from punie.trace.errors import ExitCode
from punie.trace.model import Span
from punie.trace.store.runs.run_folder import RunFolder
from punie.trace.store.runs.run_plan import RunPlan, RunSettings

_S = 10**9
_BEGAN_NS = 1_795_000_000 * _S


def _asked(run: str | None, number: int, *, server_start: int = 0, arm: str | None = None) -> Span:
    """A query of one second, which names its run or nobody."""
    begun_ns = _BEGAN_NS + number * 10 * _S
    named = {} if run is None else {semconv.RUN_ID: run}
    return Span(
        trace_id=f"{number + 1:032x}",
        span_id=f"{number + 1:016x}",
        parent_id=None,
        name=semconv.SPAN_QUERY,
        start_ns=begun_ns,
        end_ns=begun_ns + _S,
        attributes={
            **named,
            semconv.QUERY_ID: f"q{number % 2}",
            semconv.QUERY_SERVER_START: server_start,
            **({} if arm is None else {semconv.BENCH_ARM: arm}),
        },
    )


def _file(path: Path, spans: Iterable[Span]) -> str:
    path.write_bytes(otlp_lines(list(spans)))
    return str(path)


def _run(runs: Path, name: str, numbers: Iterable[int], *, planned: int, target_ns: int | None = None) -> str:
    folder = RunFolder.create(runs, name)
    queries = tuple(PlannedQuery(f"q{number}", 0, 0, number) for number in range(planned))
    folder.write_plan(
        RunPlan(
            run_id=folder.path.name,
            suite_name="mine",
            suite_hash="a" * 64,
            planned=queries,
            model=f"model-of-{name}",
            cache="off",
            seed=0,
            created="2026-11-23T14:05:09+00:00",
            settings=RunSettings(target_ns=target_ns),
        )
    )
    folder.spans_dir.mkdir(exist_ok=True)
    _file(folder.spans_dir / "agent-1.jsonl", (_asked(folder.path.name, number) for number in numbers))
    return str(folder.path)


def _report(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["report", *arguments, "--format", "json"]) == ExitCode.OK
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_each_source_has_its_own_server_starts_though_none_names_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = _file(tmp_path / "later.jsonl", [_asked(None, 6), _asked(None, 7, server_start=1)])
    first = _file(tmp_path / "first.jsonl", [_asked(None, 0), _asked(None, 1, server_start=1)])
    found = _report([later, first], capsys)
    assert [query["server_start"] for query in found["queries"]] == [0, 1, 2, 3]
    assert found["about"]["sources"] == [later, first]
    assert main(["report", later, first]) == ExitCode.OK
    said = " ".join(capsys.readouterr().out.split())
    assert "4 queries · 4 server starts" in said
    assert "2 sources: " in said


def test_files_of_one_run_have_its_server_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [_file(tmp_path / f"{number}.jsonl", [_asked("one", number)]) for number in range(2)]
    assert [query["server_start"] for query in _report(files, capsys)["queries"]] == [0, 0]


def test_what_each_run_planned_is_looked_for_in_that_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = _run(tmp_path, "whole", (0, 1), planned=2)
    short = _run(tmp_path, "short", (2,), planned=2)
    found = _report([whole, short], capsys)
    assert [(one["query_id"], one["repeat"]) for one in found["missing"]] == [("q1", 0)]
    assert found["about"]["planned"] == 4
    assert found["about"]["model"] == "models model-of-whole, model-of-short"
    slugs = {finding["slug"] for finding in found["integrity"]}
    assert "missing-query" in slugs
    assert "several-runs" in slugs or "mixed-runs" in slugs


def test_every_format_draws_the_queries_of_all_sources(tmp_path: Path) -> None:
    files = [_file(tmp_path / f"{n}.jsonl", [_asked(None, n)]) for n in range(2)]
    page = tmp_path / "report.html"
    assert main(["report", *files, "-o", str(page)]) == ExitCode.OK
    assert all(f"{number + 1:032x}" in page.read_text() for number in range(2))
    assert main(["report", *files, "-o", str(tmp_path / "report.perfetto-trace")]) == ExitCode.OK
    assert main(["report", *files, "--by", "day", "-o", str(tmp_path / "days.csv")]) == ExitCode.OK


@pytest.mark.parametrize("second", ["same.jsonl", "copy.jsonl"])
def test_sources_that_share_answers_are_refused(
    second: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    span = _asked("one", 0)
    same = _file(tmp_path / "same.jsonl", [span])
    _file(tmp_path / "copy.jsonl", [replace_name(span), _asked("one", 1)])
    assert main(["report", same, str(tmp_path / second)]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "share 1 trace: their answers would count twice" in said
    assert str(tmp_path / second) in said


def replace_name(span: Span) -> Span:
    """The same span, told in other words."""
    values = {name: getattr(span, name) for name in span.__struct_fields__}
    return Span(**{**values, "name": "the same"})


def test_runs_with_different_targets_need_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = _run(tmp_path, "one", (0,), planned=1, target_ns=5 * _S)
    other = _run(tmp_path, "other", (2,), planned=1)
    assert main(["report", one, other]) == ExitCode.USAGE
    assert "were run with different --target" in capsys.readouterr().err
    assert main(["report", one, other, "--target", "5s"]) == ExitCode.OK


def test_arms_of_a_benchmark_are_refused_in_several_files_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = [_file(tmp_path / f"{n}.jsonl", [_asked(None, n, arm=f"arm-{n}")]) for n in range(2)]
    assert main(["report", *arms]) == ExitCode.INPUT
    assert "2 arms of a benchmark (arm-0, arm-1)" in capsys.readouterr().err


def test_a_database_sums_one_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "clickhouse://a/b", "clickhouse://a/c", "--in-database"]) == ExitCode.USAGE
    assert "--in-database: sums one URL, not 2 sources" in capsys.readouterr().err
