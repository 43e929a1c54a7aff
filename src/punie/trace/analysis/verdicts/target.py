"""Do the queries that need the model more than once stay under the target time?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.spread import median_ns
from punie.trace.analysis.verdicts.assessment import AskedQueries, Assessment, JsonValue
from punie.trace.model import Verdict
from punie.trace.units import count_text, duration_text

NAME: Final = "target"
UNIT: Final = "ns, largest median of a query"
DEFAULT_TARGET_NS: Final = 10_000_000_000
REPEATS_NEEDED: Final = 3

ByQuery = Mapping[str, Sequence[QueryRecord]]


def target_verdict(evidence: AskedQueries, target_ns: int) -> Assessment:
    """`yes` if every one of at least 3 repeats of each query took less than `target_ns`.

    `no` if the median of a query is above it or a query failed: failing fast is not fast. Looked at are the
    queries with two or more model requests in any repeat, or all if none has; a failed query that was not
    expected to be answered directly belongs to them, because its failure may be why it made fewer requests.
    """
    considered = _considered(evidence.records)
    medians = {
        query_id: median_ns([r.wall_ns for r in records if r.succeeded])
        for query_id, records in considered.items()
        if any(record.succeeded for record in records)
    }
    verdict, reason = _judge(considered, medians, target_ns, evidence.gap())
    return Assessment(
        name=NAME,
        verdict=verdict,
        estimate=float(max(medians.values())) if medians else None,
        interval=None,
        unit=UNIT,
        basis=f"{_scope(considered)}, target {duration_text(target_ns)}: {reason}.",
        next_step=_next_step(verdict, considered, medians, target_ns, evidence),
        details=_details(considered, medians, target_ns),
    )


def _considered(records: Sequence[QueryRecord]) -> dict[str, list[QueryRecord]]:
    everything: dict[str, list[QueryRecord]] = defaultdict(list)
    for record in records:
        everything[record.query_id].append(record)
    if not any(record.model_requests >= 2 for record in records):
        return everything
    return {query_id: group for query_id, group in everything.items() if _needs_turns(group)}


def _needs_turns(records: Sequence[QueryRecord]) -> bool:
    return any(
        record.model_requests >= 2 or (not record.succeeded and record.expected != "direct")
        for record in records
    )


def _judge(considered: ByQuery, medians: Mapping[str, int], target_ns: int, gap: str) -> tuple[Verdict, str]:
    failed = sum(not record.succeeded for records in considered.values() for record in records)
    if failed:
        return Verdict.NO, f"{count_text(failed, 'failed attempt')} among them"
    over = [query_id for query_id, median in medians.items() if median > target_ns]
    if gap:
        return Verdict.UNDECIDED, gap
    if not considered:
        return Verdict.UNDECIDED, "nothing was asked"
    if over:
        return Verdict.NO, f"{count_text(len(over), 'median')} above it"
    slow = sum(record.wall_ns >= target_ns for records in considered.values() for record in records)
    if slow:
        return Verdict.UNDECIDED, f"every median is within it, {count_text(slow, 'repeat')} not under it"
    fewest = min(len(records) for records in considered.values())
    if fewest < REPEATS_NEEDED:
        return Verdict.UNDECIDED, f"all under it, but only {count_text(fewest, 'repeat')} of a query"
    return Verdict.YES, f"every one of at least {fewest} repeats is under it"


def _scope(considered: ByQuery) -> str:
    count = count_text(len(considered), "query", "queries")
    if any(record.model_requests >= 2 for records in considered.values() for record in records):
        return f"{count} with two or more model requests"
    return f"{count} (none has two or more model requests)"


def _next_step(
    verdict: Verdict, considered: ByQuery, medians: Mapping[str, int], target_ns: int, evidence: AskedQueries
) -> str:
    if verdict is Verdict.YES:
        return "Nothing to do; keep the target as a gate."
    failed = sorted(q for q, records in considered.items() if not all(r.succeeded for r in records))
    if failed:
        return f"Look at the failed queries first: {', '.join(failed)}."
    if evidence.gap():
        return "Run again: with parts missing, no time is claimed."
    if not considered:
        return "Run a suite with at least one query."
    slowest = max(medians, key=lambda query_id: medians[query_id])
    if verdict is Verdict.NO:
        return (
            f"Start with {slowest}: its median is {duration_text(medians[slowest])}; see its largest phase."
        )
    fewest = min(len(records) for records in considered.values())
    if fewest < REPEATS_NEEDED:
        return f"Run with --repeat {REPEATS_NEEDED} or more."
    return f"Single repeats reach {duration_text(target_ns)}: look at the slowest repeat, or choose another target."


def _details(considered: ByQuery, medians: Mapping[str, int], target_ns: int) -> dict[str, JsonValue]:
    return {
        "target_ns": target_ns,
        "repeats_needed": REPEATS_NEEDED,
        "queries": {
            query_id: {
                "repeats": len(records),
                "failed": sum(not record.succeeded for record in records),
                "median_ns": medians.get(query_id),
                "max_ns": max((r.wall_ns for r in records if r.succeeded), default=None),
            }
            for query_id, records in considered.items()
        },
    }
