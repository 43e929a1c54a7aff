"""Is generation, the model's inference, more than 70 % of the wall time?

The measured share is (sum of generation) / (sum of wall time) over the queries that succeeded. An instant at
which another group was at work as well is contested, and counts against the claim: `yes` must hold without
contested generation, `no` must hold with it, as measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.decode import DecodeShare, decode_share
from punie.trace.analysis.statistics.share import ShareEstimate, share_over_wall
from punie.trace.analysis.statistics.spread import Interval
from punie.trace.analysis.verdicts.assessment import AskedQueries, Assessment, JsonValue, interval_json
from punie.trace.analysis.verdicts.generation_advice import (
    JudgedShare,
    decided_advice,
    evidence_needed,
    needed_json,
)
from punie.trace.model import Group, Verdict
from punie.trace.units import count_text, duration_text, percent_text, share_text

NAME: Final = "generation"
UNIT: Final = "share of wall time"
THRESHOLD: Final = 0.70
QUERIES_NEEDED: Final = 5


@dataclass(frozen=True, slots=True)
class _Shares:
    """Generation's share as measured, and without its contested time."""

    measured: ShareEstimate
    without_contested: ShareEstimate

    def low(self) -> float | None:
        """What the share is at least; None without an interval."""
        ends = [share.interval.low for share in (self.measured, self.without_contested) if share.interval]
        return min(ends, default=None)

    def high(self) -> float | None:
        """What the share is at most; None without an interval."""
        return self.measured.interval.high if self.measured.interval else None


def generation_verdict(evidence: AskedQueries) -> Assessment:
    """`yes` if generation is above 70 % with all its interval, `no` if below, else `undecided`.

    `undecided` also with fewer than 5 queries, without a model request in any of them (who doesn't trace the model
    can't say what it took), and when queries are missing or integrity forbids a verdict.
    Beside it stands the decode share, on which the advice about training rests.
    """
    records = evidence.succeeded
    shares = _shares(records)
    decode = decode_share(records)
    if shares is None or decode is None:
        return _nothing_measured(
            evidence,
            "No query succeeded in measurable time",
            "Get queries to succeed first: the failed ones are never averaged.",
        )
    if not any(record.model_requests or generation_ns(record) for record in records):
        return _nothing_measured(
            evidence,
            f"No model request in these spans of {count_text(len(records), 'answer')}: none was made, or none was "
            "traced",
            "Trace the agent's model calls as well, by the names of the GenAI conventions.",
        )
    verdict, reason = _judge(shares, evidence.gap())
    judged = JudgedShare(THRESHOLD, shares.measured, decode, records)
    return Assessment(
        name=NAME,
        verdict=verdict,
        estimate=shares.measured.estimate,
        interval=shares.measured.interval,
        unit=UNIT,
        basis=_basis(shares.measured, records, reason, evidence),
        next_step=_next_step(verdict, shares, judged, evidence),
        details=_details(shares, judged, evidence),
    )


def _shares(records: Sequence[QueryRecord]) -> _Shares | None:
    measured = share_over_wall(records, generation_ns)
    if measured is None:
        return None
    without = measured
    if any(record.ledger.group_contested_ns(Group.GENERATION) for record in records):
        without = share_over_wall(records, _without_contested_ns) or measured
    return _Shares(measured, without)


def generation_ns(record: QueryRecord) -> int:
    """Nanoseconds of the group generation in one query."""
    return record.ledger.group_ns(Group.GENERATION)


def _without_contested_ns(record: QueryRecord) -> int:
    return generation_ns(record) - record.ledger.group_contested_ns(Group.GENERATION)


def _judge(shares: _Shares, gap: str) -> tuple[Verdict, str]:
    low, high = shares.low(), shares.high()
    if gap:
        return Verdict.UNDECIDED, gap
    if shares.measured.queries < QUERIES_NEEDED or low is None or high is None:
        return Verdict.UNDECIDED, f"at least {QUERIES_NEEDED} different queries are needed"
    if low > THRESHOLD:
        return Verdict.YES, f"all of it above {percent_text(THRESHOLD)}"
    if high < THRESHOLD:
        return Verdict.NO, f"all of it below {percent_text(THRESHOLD)}"
    if shares.measured.interval is not None and not shares.measured.interval.holds(THRESHOLD):
        return Verdict.UNDECIDED, f"contested time makes it {share_text(low)} to {share_text(high)}"
    return Verdict.UNDECIDED, f"it holds {percent_text(THRESHOLD)}"


def _basis(
    measured: ShareEstimate, records: Sequence[QueryRecord], reason: str, evidence: AskedQueries
) -> str:
    wall = duration_text(sum(record.wall_ns for record in records))
    text = (
        f"Generation is {share_text(measured.estimate)} of {wall} in {count_text(len(records), 'answer')} to "
        f"{count_text(measured.queries, 'query', 'queries')}; {interval_text(measured.interval)}: {reason}"
    )
    if evidence.downgrades:
        text += f"; weakened by {', '.join(evidence.downgrades)}"
    return text + "."


def interval_text(interval: Interval | None) -> str:
    """An interval as a clause."""
    if interval is None:
        return "no interval from one query"
    return (
        f"{percent_text(interval.level)} interval {share_text(interval.low)} to {share_text(interval.high)} "
        f"({interval.method} over {count_text(interval.units, interval.over, _plural(interval))})"
    )


def _plural(interval: Interval) -> str:
    return {"query": "queries"}.get(interval.over.value, "")


def _next_step(verdict: Verdict, shares: _Shares, judged: JudgedShare, evidence: AskedQueries) -> str:
    if verdict is not Verdict.UNDECIDED:
        return decided_advice(verdict, judged)
    if evidence.gap():
        return "Run again: with parts missing, no share is claimed."
    if shares.measured.queries < QUERIES_NEEDED:
        return (
            f"Ask at least {QUERIES_NEEDED} different queries; repeats of the same ones don't replace them."
        )
    if shares.measured.interval is not None and not shares.measured.interval.holds(THRESHOLD):
        return (
            "Run without parallel work: more queries or repeats don't settle what contested time belongs to."
        )
    return evidence_needed(judged)


def _details(shares: _Shares, judged: JudgedShare, evidence: AskedQueries) -> dict[str, JsonValue]:
    records = judged.records
    wall_ns = sum(record.wall_ns for record in records)
    total_ns = sum(generation_ns(record) for record in records)
    contested: dict[str, JsonValue] = {
        "generation_ns": sum(r.ledger.group_contested_ns(Group.GENERATION) for r in records),
        "share_without": _share_json(shares.without_contested),
    }
    return {
        "threshold": judged.threshold,
        "generation_ns": total_ns,
        "wall_ns": wall_ns,
        "pooled_share": total_ns / wall_ns,
        "queries": shares.measured.queries,
        "server_starts": shares.measured.server_starts,
        "least_repeats": shares.measured.repeats,
        "contested": contested,
        "decode": _decode_json(judged.decode),
        "needed": needed_json(judged),
        "failed_left_out": len(evidence.failed),
        "missing": len(evidence.missing),
        "downgraded_by": list(evidence.downgrades),
    }


def _decode_json(decode: DecodeShare) -> dict[str, JsonValue]:
    return {
        "knowledge": decode.knowledge.value,
        "share": _share_json(decode.share) if decode.share else None,
        "at_most": _share_json(decode.at_most),
    }


def _share_json(share: ShareEstimate) -> Mapping[str, JsonValue]:
    return {"estimate": share.estimate, "interval": interval_json(share.interval)}


def _nothing_measured(evidence: AskedQueries, why: str, next_step: str) -> Assessment:
    gap = evidence.gap()
    return Assessment(
        name=NAME,
        verdict=Verdict.UNDECIDED,
        estimate=None,
        interval=None,
        unit=UNIT,
        basis=why + (f"; {gap}" if gap else "") + ".",
        next_step=next_step,
        details={
            "threshold": THRESHOLD,
            "queries": len({record.query_id for record in evidence.succeeded}),
            "failed_left_out": len(evidence.failed),
            "missing": len(evidence.missing),
            "downgraded_by": list(evidence.downgrades),
        },
    )
