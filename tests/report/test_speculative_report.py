"""The report of a benchmark in every format: one that decides, one that is corrupt, one of nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import jsonschema
import pytest
from benches import ARMS, CACHED_DRAFT, build_plan, build_preflight, observe_all
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from punie.trace.analysis.speculative.arms import Limits
from punie.trace.analysis.speculative.benchmark import Measurements, analyse_benchmark
from punie.trace.analysis.speculative.losslessness import find_divergences
from punie.trace.analysis.speculative.model import TurnOutput
from punie.trace.analysis.speculative.prediction import predict_memory
from punie.trace.report.builders.speculative import build_speculative, with_roadmap
from punie.trace.report.content import BenchReport
from punie.trace.report.document import Document
from punie.trace.report.formats import JSON, MARKDOWN, TEXT
from punie.trace.report.page import Page
from punie.trace.report.published.schemas import schema_path
from punie.trace.report.wording.speculative import bench_advice

GB = 10**9
DECODE = {"batched": 900, "batched-aa": 900, "sequential": 920, "draft0-k2": 560, "draft0-k3": 480}


def _report(measured: Measurements, limits: Limits | None = None) -> BenchReport:
    found = analyse_benchmark(measured, limits or Limits())
    return BenchReport("runs/bench", found, bench_advice(found), ("A note beside every number.",))


def empty() -> BenchReport:
    return _report(Measurements(build_plan(), ()))


def decided() -> BenchReport:
    plan = build_plan()
    memory = predict_memory(target_bytes=19 * GB, draft_bytes=GB, limit_bytes=32 * GB)
    asked = tuple(
        replace(seen, peak_bytes=20 * GB, footprint_bytes=21 * GB, recommended_bytes=25_600_000_000)
        for seen in observe_all(plan, DECODE)
    )
    return _report(Measurements(plan, asked, build_preflight(memory=memory)), Limits(10**10, 32 * GB))


def corrupt() -> BenchReport:
    plan = build_plan((*ARMS, CACHED_DRAFT))
    asked = tuple(
        replace(seen, outputs=(TurnOutput("x", (1, 9)),)) if seen.arm == CACHED_DRAFT.name else seen
        for seen in observe_all(plan, DECODE | {"draft0-k3-cache": 480})
    )
    gaps = tuple(replace(item, logit_gap=4.2) for item in find_divergences(asked, plan))
    return _report(Measurements(plan, asked[:-1], build_preflight(), gaps=gaps))


def _diary(report: BenchReport) -> Document:
    return with_roadmap(build_speculative(report), report)


REPORTS = (empty, decided, corrupt)


@pytest.mark.parametrize("make", REPORTS)
def test_the_text_is_as_it_was(make: Callable[[], BenchReport], snapshot: SnapshotAssertion) -> None:
    assert TEXT.write(build_speculative(make())) == snapshot


@pytest.mark.parametrize("make", REPORTS)
def test_no_line_is_wider_than_80_columns(make: Callable[[], BenchReport]) -> None:
    assert [line for line in TEXT.write(build_speculative(make())).splitlines() if cell_len(line) > 80] == []


@pytest.mark.parametrize("make", REPORTS)
def test_the_markdown_is_as_it_was(make: Callable[[], BenchReport], snapshot: SnapshotAssertion) -> None:
    assert MARKDOWN.write(_diary(make())) == snapshot


@pytest.mark.parametrize("make", REPORTS)
def test_the_json_holds_to_its_schema(make: Callable[[], BenchReport]) -> None:
    schema = json.loads(schema_path("speculative").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(JSON.write(build_speculative(make()))), schema)


def test_the_schema_refuses_what_it_does_not_know() -> None:
    document = json.loads(JSON.write(build_speculative(decided()))) | {"new": 1}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads(schema_path("speculative").read_text()))


def test_the_roadmap_has_one_row() -> None:
    table = _diary(decided()).sections[-1].table
    assert table is not None
    ((_, question, *_),) = table.rows
    assert question == "does draft make target 20 % faster?"


def test_colour_is_only_there_when_asked_for() -> None:
    assert "\x1b[" in TEXT.write(build_speculative(decided()), Page(color=True))
    assert "\x1b[" not in TEXT.write(build_speculative(decided()))


def test_an_interval_is_never_rounded_onto_the_threshold() -> None:
    report = decided()
    best = report.analysis.best
    assert best is not None
    assert best.interval is not None
    below = replace(best, interval=replace(best.interval, low=1.0, high=1.1999))
    shown = TEXT.write(build_speculative(replace(report, analysis=replace(report.analysis, best=below))))
    assert "1.200" in shown
