"""Do the queries that need the model more than once stay under the target time?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.spread import median_ns
from punie.trace.analysis.verdicts.assessment import (
    Advice,
    Assessment,
    Gap,
    QueryEvidence,
    Question,
    RepeatMethod,
)
from punie.trace.model import Verdict

DEFAULT_TARGET_NS: Final = 10_000_000_000
REPEATS_NEEDED: Final = 3


class TargetReason(StrEnum):
    """Why the verdict is what it is."""

    FAILED_ATTEMPTS = "failed-attempts"
    INCOMPLETE = "incomplete"
    NOTHING_ASKED = "nothing-asked"
    MEDIANS_ABOVE = "medians-above"
    REPEATS_ABOVE = "repeats-above"
    TOO_FEW_REPEATS = "too-few-repeats"
    ALL_UNDER = "all-under"


class QueryTimes(msgspec.Struct, frozen=True):
    """The repeats of one query that count or failed; times are of those that count, None if none does."""

    repeats: int
    failed: int
    median_ns: int | None
    max_ns: int | None


class TargetFigures(msgspec.Struct, frozen=True):
    """The queries that are held against `target_ns`.

    `several_requests` is whether they are those with two or more model requests (else there are none such, and all
    are held). `not_under` counts repeats that took the target or more.
    """

    target_ns: int
    repeats_needed: int
    queries: Mapping[str, QueryTimes]
    several_requests: bool
    not_under: int
    again: RepeatMethod
    gaps: tuple[Gap, ...]

    @property
    def failed(self) -> int:
        """Attempts that failed."""
        return sum(query.failed for query in self.queries.values())

    @property
    def fewest(self) -> int:
        """The least repeats that any query has."""
        return min((query.repeats for query in self.queries.values()), default=0)

    @property
    def medians(self) -> Mapping[str, int]:
        """The median of every query that was answered."""
        return {name: times.median_ns for name, times in self.queries.items() if times.median_ns is not None}

    @property
    def over(self) -> int:
        """Medians above the target."""
        return sum(median > self.target_ns for median in self.medians.values())


def target_verdict(evidence: QueryEvidence, target_ns: int) -> Assessment[TargetFigures]:
    """`yes` if every one of at least 3 repeats of each query took less than `target_ns`.

    `no` if the median of a query is above it or a query failed: failing fast is not fast. Looked at are the
    queries with two or more model requests in any repeat, or all if none has; a failed query that was not
    expected to be answered directly belongs to them, because its failure may be why it made fewer requests.
    """
    figures = _figures(evidence, target_ns)
    verdict, reason, advice = _judge(figures)
    slowest = max(figures.medians.values(), default=None)
    return Assessment(
        Question.TARGET, verdict, reason, advice, figures, None if slowest is None else float(slowest)
    )


def _figures(evidence: QueryEvidence, target_ns: int) -> TargetFigures:
    everything: dict[str, list[QueryRecord]] = defaultdict(list)
    for record in evidence.records:
        everything[record.query_id].append(record)
    several = any(record.model_requests >= 2 for record in evidence.records)
    held = {
        query: [record for record in group if record.counts or _is_failed_attempt(record)]
        for query, group in everything.items()
        if not several or _needs_turns(group)
    }
    return TargetFigures(
        target_ns=target_ns,
        repeats_needed=REPEATS_NEEDED,
        queries={query: _times(group) for query, group in held.items()},
        several_requests=several,
        not_under=sum(record.wall_ns >= target_ns for group in held.values() for record in group),
        again=evidence.again,
        gaps=evidence.gaps,
    )


def _needs_turns(records: Sequence[QueryRecord]) -> bool:
    return any(
        record.model_requests >= 2 or (_is_failed_attempt(record) and record.expected != "direct")
        for record in records
    )


def _is_failed_attempt(record: QueryRecord) -> bool:
    return record.failed and not record.interrupted


def _times(records: Sequence[QueryRecord]) -> QueryTimes:
    walls = [record.wall_ns for record in records if record.counts]
    return QueryTimes(
        repeats=len(records),
        failed=len(records) - len(walls),
        median_ns=median_ns(walls) if walls else None,
        max_ns=max(walls, default=None),
    )


def _judge(figures: TargetFigures) -> tuple[Verdict, TargetReason, Advice]:
    if figures.failed:
        return Verdict.NO, TargetReason.FAILED_ATTEMPTS, Advice.FIX_FAILURES
    if figures.gaps:
        return Verdict.UNDECIDED, TargetReason.INCOMPLETE, Advice.RUN_AGAIN
    if not figures.queries:
        return Verdict.UNDECIDED, TargetReason.NOTHING_ASKED, Advice.ASK_SOMETHING
    if figures.over:
        return Verdict.NO, TargetReason.MEDIANS_ABOVE, Advice.LOOK_AT_SLOWEST_QUERY
    if figures.not_under:
        too_few = figures.fewest < REPEATS_NEEDED
        return (
            Verdict.UNDECIDED,
            TargetReason.REPEATS_ABOVE,
            Advice.REPEAT if too_few else Advice.LOOK_AT_SLOWEST_REPEAT,
        )
    if figures.fewest < REPEATS_NEEDED:
        return Verdict.UNDECIDED, TargetReason.TOO_FEW_REPEATS, Advice.REPEAT
    return Verdict.YES, TargetReason.ALL_UNDER, Advice.KEEP_AS_GATE
