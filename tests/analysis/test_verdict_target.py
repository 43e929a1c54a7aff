"""Are the queries with several model requests under the target time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace

from punie.trace.analysis.records import PlannedQuery, QueryRecord
from punie.trace.analysis.verdicts.assessment import Advice, Assessment, QueryEvidence, Question, RepeatMethod
from punie.trace.analysis.verdicts.target import QueryTimes, TargetFigures, TargetReason, target_verdict
from punie.trace.model import Disturbance, Phase, Verdict
from punie.trace.report.wording.advice import next_step
from punie.trace.report.wording.verdicts import basis

RecordMaker = Callable[..., QueryRecord]
TARGET_NS = 100_000_000


@dataclass(frozen=True)
class Broken:
    """An integrity finding."""

    slug: str
    effect: str
    count: int


def timed(make: RecordMaker, query_id: str, *walls_ms: int, requests: int = 2) -> list[QueryRecord]:
    return [
        make(query_id, {Phase.DECODE: wall}, repeat=repeat, model_requests=requests)
        for repeat, wall in enumerate(walls_ms)
    ]


def judge(*records: QueryRecord) -> Assessment[TargetFigures]:
    return target_verdict(QueryEvidence(records), TARGET_NS)


def test_whole_finding(make_record: RecordMaker) -> None:
    records = [*timed(make_record, "a", 50, 60, 70), *timed(make_record, "quick", 900, requests=1)]
    found = judge(*records)
    assert found == Assessment(
        question=Question.TARGET,
        verdict=Verdict.YES,
        reason=TargetReason.ALL_UNDER,
        advice=Advice.KEEP_AS_GATE,
        figures=TargetFigures(
            TARGET_NS,
            repeats_needed=3,
            queries={"a": QueryTimes(repeats=3, failed=0, median_ns=60_000_000, max_ns=70_000_000)},
            several_requests=True,
            not_under=0,
            again=RepeatMethod.REPEATS,
            gaps=(),
        ),
        estimate=60_000_000.0,
    )
    assert basis(found) == (
        "1 query with two or more model requests, target 100 ms: every one of at least 3 repeats is under it."
    )
    assert next_step(found) == "Nothing to do; keep the target as a gate."


@pytest.mark.parametrize(
    ("walls", "verdict"),
    [
        ((99, 99, 99), Verdict.YES),
        ((50, 60), Verdict.UNDECIDED),
        ((50, 60, 100), Verdict.UNDECIDED),
        ((50, 60, 101), Verdict.UNDECIDED),
        ((50, 100, 110), Verdict.UNDECIDED),
        ((50, 101, 110), Verdict.NO),
        ((101,), Verdict.NO),
    ],
)
def test_repeats_against_the_target(
    make_record: RecordMaker, walls: tuple[int, ...], verdict: Verdict
) -> None:
    assert judge(*timed(make_record, "a", *walls)).verdict is verdict


def test_single_request_queries_count_if_there_are_no_others(make_record: RecordMaker) -> None:
    found = judge(*timed(make_record, "a", 50, 60, 200, requests=1))
    assert found.verdict is Verdict.UNDECIDED
    assert basis(found).startswith("1 query (none has two or more model requests)")


def test_one_slow_query_is_enough_for_no(make_record: RecordMaker) -> None:
    found = judge(*timed(make_record, "a", 5, 5, 5), *timed(make_record, "slow", 200, 200, 200))
    assert found.verdict is Verdict.NO
    assert next_step(found) == "Start with slow: its median is 200 ms; see its largest phase."


def test_failing_fast_is_not_fast(make_record: RecordMaker) -> None:
    good = timed(make_record, "a", 5, 5, 5)
    wrong = make_record("b", {Phase.DECODE: 1}, ok=False, expected="tool", model_requests=1)
    crashed = make_record("b", {Phase.DECODE: 1}, ok=None, error="Timeout: late", model_requests=0)
    direct = make_record("c", {Phase.DECODE: 1}, ok=False, expected="direct", model_requests=1)
    assert judge(*good, wrong).verdict is Verdict.NO
    assert judge(*good, crashed).verdict is Verdict.NO
    assert judge(*good, direct).verdict is Verdict.YES
    assert judge(wrong).estimate is None
    assert next_step(judge(wrong)) == "Look at the failed queries first: b."


def test_no_records() -> None:
    found = judge()
    assert (found.verdict, found.estimate) == (Verdict.UNDECIDED, None)
    assert next_step(found) == "Run a suite with at least one query."


def test_missing_or_broken_leave_it_undecided(make_record: RecordMaker) -> None:
    for walls in ((5, 5, 5), (200, 200, 200)):
        records = tuple(timed(make_record, "a", *walls))
        missing = target_verdict(QueryEvidence(records, missing=(PlannedQuery("x", 0, 0, 0),)), TARGET_NS)
        broken = target_verdict(QueryEvidence(records, (Broken("skew", "no-verdict", 2),)), TARGET_NS)
        assert {missing.verdict, broken.verdict} == {Verdict.UNDECIDED}
        assert "integrity: skew (2)" in basis(broken)


@pytest.mark.parametrize(
    ("fields", "again", "step"),
    [
        ({}, RepeatMethod.REPEATS, "Run with --repeat 3 or more."),
        ({"cache": "off"}, RepeatMethod.REPEATS, "Run with --repeat 3 or more."),
        (
            {"cache": "server"},
            RepeatMethod.SERVER_STARTS,
            "Run with --starts 3 or more: with the prompt cache on",
        ),
        ({"cache": "unknown"}, RepeatMethod.REPEATS, "Run with --repeat 3 or more."),
        (
            {"cache": "unknown", "cached_tokens": 80},
            RepeatMethod.RUNS,
            "Run 3 times, with the server restarted before each",
        ),
    ],
)
def test_asking_again_is_advised_in_a_way_that_counts(
    make_record: RecordMaker, fields: dict[str, Any], again: RepeatMethod, step: str
) -> None:
    found = judge(make_record("a", {Phase.DECODE: 50}, **fields))
    assert (found.reason, found.figures.again) == (TargetReason.TOO_FEW_REPEATS, again)
    assert next_step(found).startswith(step)


def test_cached_repeats_of_another_s_server_ask_for_new_runs(make_record: RecordMaker) -> None:
    first = make_record("a", {Phase.DECODE: 50}, cache="unknown")
    warm = [make_record("a", {Phase.DECODE: 5}, repeat=n, is_cached_repeat=True) for n in (1, 2)]
    found = judge(first, *warm)
    assert (found.verdict, found.estimate) == (Verdict.UNDECIDED, 50_000_000)
    assert next_step(found).startswith("Run 3 times, with the server restarted before each")


def test_a_right_answer_that_was_disturbed_is_no_failed_attempt(make_record: RecordMaker) -> None:
    records = [*timed(make_record, "a", 50, 60, 70, 900), *timed(make_record, "b", 50, 60, 900)]
    disturbed = [
        replace(record, disturbed_by=Disturbance.CLOCK_STEP) if record.repeat == number - 1 else record
        for number, of_query in ((4, records[:4]), (3, records[4:]))
        for record in of_query
    ]
    found = judge(*disturbed)
    assert (found.verdict, found.reason) == (
        Verdict.UNDECIDED,
        TargetReason.TOO_FEW_REPEATS,
    )  # of b two count
    assert (found.figures.failed, found.figures.not_under) == (0, 0)
    assert judge(*disturbed[:4]).verdict is Verdict.YES
    wrong = replace(disturbed[3], ok=False)
    assert judge(*disturbed[:3], wrong).reason is TargetReason.FAILED_ATTEMPTS


def test_a_query_of_which_nothing_counts_leaves_the_target_open(make_record: RecordMaker) -> None:
    disturbed = [
        replace(record, disturbed_by=Disturbance.TOOL_THREAD) for record in timed(make_record, "b", 50)
    ]
    found = judge(*timed(make_record, "a", 50, 60, 70), *disturbed)
    assert (found.verdict, found.figures.fewest) == (Verdict.UNDECIDED, 0)
