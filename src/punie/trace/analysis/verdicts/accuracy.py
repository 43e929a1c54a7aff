"""Is every query right in every repeat?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.distributions import clopper_pearson_lower
from punie.trace.analysis.statistics.spread import LEVEL, Interval, Method
from punie.trace.analysis.verdicts.assessment import Advice, Assessment, Gap, QueryEvidence, Question
from punie.trace.model import Verdict

NOT_SCORED: Final = "any"  # what a query expects that is timed and not scored


class AccuracyReason(StrEnum):
    """Why the verdict is what it is."""

    WRONG_ANSWERS = "wrong-answers"
    NOTHING_SCORED = "nothing-scored"
    INCOMPLETE = "incomplete"
    ALL_RIGHT = "all-right"


class AccuracyFigures(msgspec.Struct, frozen=True):
    """Counts of scored `answers`, of `queries` with one (right if all of their repeats are), of what has no score.

    `wrong` has the wrong answers of each query that has one.
    """

    answers: int
    answers_right: int
    queries: int
    queries_right: int
    unscored: int
    missing: int
    wrong: Mapping[str, int]
    gaps: tuple[Gap, ...]


def accuracy_verdict(evidence: QueryEvidence) -> Assessment[AccuracyFigures]:
    """`yes` if every scored answer is right, `no` if one is not.

    A wrong answer decides whatever else is missing. `undecided` if nothing was scored or, with no wrong answer,
    if an answer is unscored, planned queries are missing or integrity forbids a claim. A query that ended in an
    error is wrong. The bound counts queries, each right only if all its repeats are: repeats of one query are
    no further evidence about other queries.
    """
    figures = _figures(evidence)
    verdict, reason, advice = _judge(figures)
    return Assessment(
        Question.ACCURACY,
        verdict,
        reason,
        advice,
        figures,
        estimate=figures.answers_right / figures.answers if figures.answers else None,
        interval=_bound(figures) if figures.answers else None,
    )


def scored(records: Sequence[QueryRecord]) -> tuple[QueryRecord, ...]:
    """The records that can be judged: they have a strict score or ended in an error, and nobody interrupted them.

    An error is a wrong answer only where answers are scored: of spans without scores nothing is said.
    """
    if not any(record.ok is not None or _expects_something(record) for record in records):
        return ()
    return tuple(
        record
        for record in records
        if record.ok is not None
        or (record.error is not None and not record.interrupted and record.expected != NOT_SCORED)
    )


def _expects_something(record: QueryRecord) -> bool:
    return record.expected not in (None, NOT_SCORED)


def is_right(record: QueryRecord) -> bool:
    """Whether the record was scored as right and no error ended it."""
    return record.ok is True and record.error is None


def _figures(evidence: QueryEvidence) -> AccuracyFigures:
    by_query: dict[str, list[bool]] = defaultdict(list)
    for record in scored(evidence.records):
        by_query[record.query_id].append(is_right(record))
    answers = [right for of_query in by_query.values() for right in of_query]
    return AccuracyFigures(
        answers=len(answers),
        answers_right=sum(answers),
        queries=len(by_query),
        queries_right=sum(all(of_query) for of_query in by_query.values()),
        unscored=sum(record.expected != NOT_SCORED for record in evidence.records) - len(answers),
        missing=len(evidence.missing),
        wrong={query: of_query.count(False) for query, of_query in by_query.items() if not all(of_query)},
        gaps=evidence.gaps,
    )


def _judge(figures: AccuracyFigures) -> tuple[Verdict, AccuracyReason, Advice]:
    if not figures.answers:
        return Verdict.UNDECIDED, AccuracyReason.NOTHING_SCORED, Advice.SCORE_ANSWERS
    if figures.wrong:
        return Verdict.NO, AccuracyReason.WRONG_ANSWERS, Advice.FIX_FAILURES
    if figures.gaps or figures.unscored:
        return Verdict.UNDECIDED, AccuracyReason.INCOMPLETE, Advice.RUN_AGAIN
    return Verdict.YES, AccuracyReason.ALL_RIGHT, Advice.ASK_MORE_QUERIES


def _bound(figures: AccuracyFigures) -> Interval:
    low = clopper_pearson_lower(figures.queries_right, figures.queries, level=LEVEL)
    return Interval(low, 1.0, LEVEL, Method.CLOPPER_PEARSON_LOWER, figures.queries)
