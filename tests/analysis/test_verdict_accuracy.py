"""Is every query right in every repeat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from punie.trace.analysis.records import PlannedQuery, QueryRecord
from punie.trace.analysis.statistics.spread import Interval, Method
from punie.trace.analysis.verdicts.accuracy import AccuracyFigures, AccuracyReason, accuracy_verdict
from punie.trace.analysis.verdicts.assessment import Advice, Assessment, Gap, QueryEvidence, Question
from punie.trace.model import Phase, Verdict
from punie.trace.report.wording.advice import next_step
from punie.trace.report.wording.verdicts import basis, gaps_text

RecordMaker = Callable[..., QueryRecord]
WORK = {Phase.DECODE: 1}


@dataclass(frozen=True)
class Broken:
    """An integrity finding."""

    slug: str
    effect: str
    count: int


def asked(make: RecordMaker, *, queries: int = 5, repeats: int = 1) -> list[QueryRecord]:
    return [make(f"q{q}", WORK, repeat=r) for r in range(repeats) for q in range(queries)]


def test_five_of_five(make_record: RecordMaker) -> None:
    bound = 0.05 ** (1 / 5)
    found = accuracy_verdict(QueryEvidence(tuple(asked(make_record))))
    assert found.interval is not None
    assert found.interval.low == pytest.approx(bound)
    assert found == Assessment(
        question=Question.ACCURACY,
        verdict=Verdict.YES,
        reason=AccuracyReason.ALL_RIGHT,
        advice=Advice.ASK_MORE_QUERIES,
        figures=AccuracyFigures(5, 5, 5, 5, unscored=0, missing=0, wrong={}, gaps=()),
        estimate=1.0,
        interval=Interval(found.interval.low, 1.0, 0.95, Method.CLOPPER_PEARSON_LOWER, 5),
    )
    assert basis(found) == (
        "5 of 5 answers right, 5 of 5 queries in every repeat; that many allow the claim "
        '"at least 54.9 % of such queries" at 95 % confidence.'
    )
    assert next_step(found) == "More different queries, not more repeats, raise the bound."


def test_repeats_do_not_raise_the_bound(make_record: RecordMaker) -> None:
    once = accuracy_verdict(QueryEvidence(tuple(asked(make_record))))
    often = accuracy_verdict(QueryEvidence(tuple(asked(make_record, repeats=20))))
    assert often.estimate == 1.0
    assert often.interval == once.interval


def test_one_wrong_repeat_is_a_no(make_record: RecordMaker) -> None:
    records = [*asked(make_record, repeats=2), make_record("q1", WORK, repeat=2, ok=False)]
    found = accuracy_verdict(QueryEvidence(tuple(records)))
    assert found.verdict is Verdict.NO
    assert found.estimate == pytest.approx(10 / 11)
    assert found.figures.queries_right == 4
    assert found.figures.wrong == {"q1": 1}
    assert "(q1)" in next_step(found)


def test_an_error_is_wrong_even_without_a_score(make_record: RecordMaker) -> None:
    records = [*asked(make_record), make_record("q5", WORK, ok=None, error="Timeout: late")]
    assert accuracy_verdict(QueryEvidence(tuple(records))).verdict is Verdict.NO


def test_nothing_scored(make_record: RecordMaker) -> None:
    for records in ((), (make_record("a", WORK, ok=None),)):
        found = accuracy_verdict(QueryEvidence(records))
        assert (found.verdict, found.estimate, found.interval) == (Verdict.UNDECIDED, None, None)


def test_unscored_or_missing_or_broken_leave_it_undecided(make_record: RecordMaker) -> None:
    records = asked(make_record)
    unscored = accuracy_verdict(QueryEvidence((*records, make_record("x", WORK, ok=None))))
    missing = accuracy_verdict(QueryEvidence(tuple(records), missing=(PlannedQuery("x", 0, 0, 0),)))
    broken = accuracy_verdict(QueryEvidence(tuple(records), (Broken("torn-line", "no-verdict", 1),)))
    assert {unscored.verdict, missing.verdict, broken.verdict} == {Verdict.UNDECIDED}
    assert basis(unscored).endswith("; 1 answer not scored.")
    assert basis(missing).endswith("; 1 planned query missing.")
    assert basis(broken).endswith("; integrity: torn-line (1).")


def test_a_wrong_answer_decides_though_others_are_missing(make_record: RecordMaker) -> None:
    records = (make_record("q0", WORK, ok=False),)
    found = accuracy_verdict(QueryEvidence(records, missing=(PlannedQuery("x", 0, 0, 0),)))
    assert (found.verdict, found.estimate) == (Verdict.NO, 0.0)


def test_missing_queries_are_said_once(make_record: RecordMaker) -> None:
    seen_twice = QueryEvidence(
        tuple(asked(make_record)), (Broken("missing-query", "no-verdict", 1),), (PlannedQuery("x", 0, 0, 0),)
    )
    assert seen_twice.gaps == (Gap("missing-query", 1),)
    assert gaps_text(seen_twice.gaps) == "1 planned query missing"
    without_plan = QueryEvidence((), (Broken("missing-query", "no-verdict", 1),))
    assert without_plan.gaps == (Gap("missing-query", 1),)


def test_spans_without_scores_give_no_figure_though_a_query_failed(make_record: RecordMaker) -> None:
    records = (make_record("a", WORK, ok=None), make_record("b", WORK, ok=None, error="Timeout: late"))
    found = accuracy_verdict(QueryEvidence(records))
    assert (found.verdict, found.estimate, found.reason) == (
        Verdict.UNDECIDED,
        None,
        AccuracyReason.NOTHING_SCORED,
    )
    assert "%" not in basis(found)


def test_errors_are_wrong_where_something_was_expected(make_record: RecordMaker) -> None:
    late = make_record("a", WORK, ok=None, error="Timeout: late", expected="tool")
    assert accuracy_verdict(QueryEvidence((late,))).verdict is Verdict.NO


def test_what_is_only_timed_is_neither_right_nor_wrong_nor_missing(make_record: RecordMaker) -> None:
    timed = [make_record("t", WORK, ok=None, expected="any")]
    timed.append(make_record("u", WORK, ok=None, expected="any", error="Timeout: late"))
    alone = accuracy_verdict(QueryEvidence(tuple(timed)))
    assert (alone.verdict, alone.estimate, alone.figures.unscored) == (Verdict.UNDECIDED, None, 0)
    found = accuracy_verdict(QueryEvidence((*asked(make_record), *timed)))
    assert (found.verdict, found.figures.answers) == (Verdict.YES, 5)
