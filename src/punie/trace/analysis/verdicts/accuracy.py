"""Is every query right in every repeat?"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.distributions import clopper_pearson_lower
from punie.trace.analysis.statistics.spread import LEVEL, Interval, Method
from punie.trace.analysis.verdicts.assessment import AskedQueries, Assessment, JsonValue
from punie.trace.model import Verdict
from punie.trace.units import count_text, percent_text, share_text

NAME: Final = "accuracy"
UNIT: Final = "share of scored answers that are right"


def accuracy_verdict(evidence: AskedQueries) -> Assessment:
    """`yes` if every scored answer is right, `no` if one is not.

    A wrong answer decides whatever else is missing. `undecided` if nothing was scored or, with no wrong answer,
    if an answer is unscored, planned queries are missing or integrity forbids a claim. A query that ended in an
    error is wrong. The bound counts queries, each right only if all its repeats are: repeats of one query are
    no further evidence about other queries.
    """
    scored = [record for record in evidence.records if is_scored(record)]
    if not scored:
        return _nothing_scored(evidence)
    right = sum(is_right(record) for record in scored)
    by_query: dict[str, list[bool]] = defaultdict(list)
    for record in scored:
        by_query[record.query_id].append(is_right(record))
    queries_right = sum(all(answers) for answers in by_query.values())
    gap = _gap(evidence, unscored=len(evidence.records) - len(scored))
    bound = clopper_pearson_lower(queries_right, len(by_query), level=LEVEL)
    verdict = _verdict(all_right=right == len(scored), gap=gap)
    return Assessment(
        name=NAME,
        verdict=verdict,
        estimate=right / len(scored),
        interval=Interval(bound, 1.0, LEVEL, Method.CLOPPER_PEARSON_LOWER, len(by_query)),
        unit=UNIT,
        basis=(
            f"{right} of {count_text(len(scored), 'answer')} right, {queries_right} of "
            f"{count_text(len(by_query), 'query', 'queries')} in every repeat; that many allow the claim "
            f'"at least {share_text(bound)} of such queries" at {percent_text(LEVEL)} confidence'
            + (f"; {gap}" if gap else "")
            + "."
        ),
        next_step=_next_step(verdict, evidence, gap),
        details=_details(by_query, scored, right, queries_right, evidence),
    )


def is_scored(record: QueryRecord) -> bool:
    """Whether the record can be judged: it has a strict score, or it ended in an error."""
    return record.ok is not None or record.error is not None


def is_right(record: QueryRecord) -> bool:
    """Whether the record was scored as right and no error ended it."""
    return record.ok is True and record.error is None


def _verdict(*, all_right: bool, gap: str) -> Verdict:
    if not all_right:
        return Verdict.NO
    return Verdict.UNDECIDED if gap else Verdict.YES


def _gap(evidence: AskedQueries, *, unscored: int) -> str:
    parts = [evidence.gap(), f"{count_text(unscored, 'answer')} not scored" if unscored else ""]
    return "; ".join(part for part in parts if part)


def _next_step(verdict: Verdict, evidence: AskedQueries, gap: str) -> str:
    if verdict is Verdict.NO:
        wrong = sorted({record.query_id for record in evidence.failed})
        return f"Look at the failed queries first ({', '.join(wrong)}): no time is worth a wrong answer."
    if verdict is Verdict.UNDECIDED:
        return f"Run again until all of it is there and scored ({gap})."
    return "More different queries, not more repeats, raise the bound."


def _details(
    by_query: dict[str, list[bool]],
    scored: list[QueryRecord],
    right: int,
    queries_right: int,
    evidence: AskedQueries,
) -> dict[str, JsonValue]:
    return {
        "answers": len(scored),
        "answers_right": right,
        "queries": len(by_query),
        "queries_right": queries_right,
        "unscored": len(evidence.records) - len(scored),
        "missing": len(evidence.missing),
        "wrong": {
            query_id: sum(not answer for answer in answers)
            for query_id, answers in by_query.items()
            if not all(answers)
        },
    }


def _nothing_scored(evidence: AskedQueries) -> Assessment:
    gap = evidence.gap()
    return Assessment(
        name=NAME,
        verdict=Verdict.UNDECIDED,
        estimate=None,
        interval=None,
        unit=UNIT,
        basis="No answer was scored" + (f"; {gap}" if gap else "") + ".",
        next_step="Run a suite that says what is expected of each query.",
        details=_details({}, [], 0, 0, evidence),
    )
