"""Is generation, the model's inference, more than 70 % of the wall time?

The measured share is (sum of generation) / (sum of wall time) over the queries that succeeded. An instant at
which another group was at work as well is contested, and counts against the claim: `yes` must hold without
contested generation, `no` must hold with it, as measured.

Training a model to say less saves decode time only: prefill depends on the prompt, and everything outside generation
stays. So the advice rests on the decode share, not on the generation share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.decode import DecodeShare, decode_share
from punie.trace.analysis.statistics.need import repeats_needed, units_needed
from punie.trace.analysis.statistics.share import (
    ShareEstimate,
    half_widths,
    repeats_by_query,
    share_over_wall,
)
from punie.trace.analysis.statistics.spread import UnitKind
from punie.trace.analysis.verdicts.assessment import (
    Advice,
    Assessment,
    Gap,
    QueryEvidence,
    Question,
    RepeatMethod,
)
from punie.trace.model import PHASES_OF_GROUP, Group, Phase, Verdict

THRESHOLD: Final = 0.70
QUERIES_NEEDED: Final = 5


class GenerationReason(StrEnum):
    """Why the verdict is what it is."""

    NO_ANSWER = "no-answer"
    NO_MODEL_REQUEST = "no-model-request"
    INCOMPLETE = "incomplete"
    TOO_FEW_QUERIES = "too-few-queries"
    ABOVE = "above"
    BELOW = "below"
    CONTESTED = "contested"
    HOLDS_THRESHOLD = "holds-threshold"


class RequiredSample(msgspec.Struct, frozen=True):
    """What would bring the interval off the threshold: so many of `unit`, or so many repeats of each query, in all.

    None where no number does. Without repeats nobody knows what repeats would bring: `repeats_known` is False.
    `beside` differ too much by themselves: as long as these are so few, no number of `unit` is enough.
    """

    units: int | None
    unit: UnitKind
    repeats: int | None
    repeats_known: bool
    again: RepeatMethod
    beside: UnitKind | None = None


class ContestedGeneration(msgspec.Struct, frozen=True):
    """Generation during which another group was at work as well, and the share without it."""

    generation_ns: int
    share_without: ShareEstimate


class OtherGroup(msgspec.Struct, frozen=True):
    """The group that takes the most beside generation, its share of the wall time, and the most of it.

    `is_bound` is whether it may be more: the network's where some server could not be seen into.
    """

    group: Group
    share: float
    phase: Phase
    is_bound: bool = False


class MeasuredGeneration(msgspec.Struct, frozen=True):
    """What was measured of generation: sums in ns, shares of the wall time. `pooled_share` is that of the sums."""

    share: ShareEstimate
    generation_ns: int
    wall_ns: int
    pooled_share: float
    contested: ContestedGeneration
    decode: DecodeShare
    prefill_share: float
    largest_other: OtherGroup
    needed: RequiredSample | None
    predicted: PredictedSavings | None

    @property
    def low(self) -> float | None:
        """What the share is at least; None without an interval."""
        intervals = (self.share.interval, self.contested.share_without.interval)
        return min((interval.low for interval in intervals if interval), default=None)

    @property
    def high(self) -> float | None:
        """What the share is at most; None without an interval."""
        return self.share.interval.high if self.share.interval else None

    @property
    def half_output(self) -> float | None:
        """The share of the wall time that half the output tokens would save: as predicted, else half of decode."""
        if self.predicted is not None:
            return self.predicted.half_output
        return self.decode.share.estimate / 2 if self.decode.share else None

    @property
    def prompt_first(self) -> bool:
        """Whether the prompt takes more than decode, or a cache that hits would save more than fewer tokens."""
        if self.prefill_share > self.decode.at_most.estimate:
            return True
        cache = self.predicted.cache if self.predicted else None
        return cache is not None and cache > (self.half_output or 0.0)

    @property
    def contested_decides(self) -> bool:
        """Whether the interval as measured is off the threshold, so that only contested time keeps it open."""
        return self.share.interval is not None and not self.share.interval.holds(THRESHOLD)


class GenerationFigures(msgspec.Struct, frozen=True):
    """The queries that were looked at, and what was measured; `measured` is None where nothing could be."""

    threshold: float
    answers: int
    queries: int
    queries_needed: int
    failed_left_out: int
    missing: int
    gaps: tuple[Gap, ...]
    downgraded_by: tuple[str, ...]
    measured: MeasuredGeneration | None


class PredictedSavings(msgspec.Struct, frozen=True):
    """What the prediction says, as shares of the wall time: half the output tokens, and a prompt cache that hits.

    None where it isn't known.
    """

    half_output: float | None
    cache: float | None


def generation_verdict(
    evidence: QueryEvidence, predicted: PredictedSavings | None = None, decode: DecodeShare | None = None
) -> Assessment[GenerationFigures]:
    """`yes` if generation is above 70 % with all its interval, `no` if below, else `undecided`.

    `undecided` also with fewer than 5 queries, without a model request in any of them (who doesn't trace the model
    can't say what it took), and when queries are missing or integrity forbids a verdict.
    Beside it stands the decode share, on which the advice about training rests, with what is `predicted` of the same
    queries where that was done; `decode` is given where the decode share is known already.
    """
    records = evidence.counted
    measured = _measure(evidence, predicted, decode or decode_share(records))
    figures = GenerationFigures(
        threshold=THRESHOLD,
        answers=len(records),
        queries=len({record.query_id for record in records}),
        queries_needed=QUERIES_NEEDED,
        failed_left_out=len(evidence.failed),
        missing=len(evidence.missing),
        gaps=evidence.gaps,
        downgraded_by=evidence.downgrades,
        measured=measured,
    )
    if measured is None:
        return _open(figures, GenerationReason.NO_ANSWER, Advice.FIX_FAILURES)
    if not any(record.model_requests or generation_ns(record) for record in records):
        return _open(figures, GenerationReason.NO_MODEL_REQUEST, Advice.TRACE_THE_MODEL)
    verdict, reason, advice = _judge(measured, figures)
    share = measured.share
    return Assessment(Question.GENERATION, verdict, reason, advice, figures, share.estimate, share.interval)


def _open(
    figures: GenerationFigures, reason: GenerationReason, advice: Advice
) -> Assessment[GenerationFigures]:
    return Assessment(Question.GENERATION, Verdict.UNDECIDED, reason, advice, figures)


def generation_ns(record: QueryRecord) -> int:
    """Nanoseconds of the group generation in one query."""
    return record.ledger.group_ns(Group.GENERATION)


def _contested_ns(record: QueryRecord) -> int:
    return record.ledger.group_contested_ns(Group.GENERATION)


def _measure(
    evidence: QueryEvidence, predicted: PredictedSavings | None, decode: DecodeShare | None
) -> MeasuredGeneration | None:
    records = evidence.counted
    ns = {id(record): generation_ns(record) for record in records}
    contested_ns = {id(record): _contested_ns(record) for record in records}
    share = share_over_wall(records, lambda record: ns[id(record)])
    without = share_over_wall(records, lambda record: ns[id(record)] - contested_ns[id(record)])
    if share is None or decode is None or without is None:
        return None
    wall_ns = sum([record.wall_ns for record in records])
    total_ns = sum(ns.values())
    return MeasuredGeneration(
        share=share,
        generation_ns=total_ns,
        wall_ns=wall_ns,
        pooled_share=total_ns / wall_ns,
        contested=ContestedGeneration(sum(contested_ns.values()), without),
        decode=decode,
        prefill_share=sum(record.ledger.phases_ns.get(Phase.PREFILL, 0) for record in records) / wall_ns,
        largest_other=_largest_other(records, wall_ns),
        needed=_needed(share, records, evidence.again),
        predicted=predicted,
    )


def _largest_other(records: Sequence[QueryRecord], wall_ns: int) -> OtherGroup:
    network_known = all(record.network_known for record in records)
    others = []
    for group in (group for group in Group if group is not Group.GENERATION):
        bound = group is Group.NETWORK and not network_known  # what is contested may be the server's
        phases = {
            phase: sum([r.ledger.phases_ns.get(phase, 0) for r in records])
            for phase in PHASES_OF_GROUP[group]
        }
        own, most = sum(phases.values()), max(phases, key=lambda phase: phases[phase])
        if bound:
            own -= sum([r.ledger.group_contested_ns(group) for r in records])
        others.append(OtherGroup(group, own / wall_ns, most, is_bound=bound))
    return max(others, key=lambda other: other.share)


def _judge(
    measured: MeasuredGeneration, figures: GenerationFigures
) -> tuple[Verdict, GenerationReason, Advice]:
    low, high = measured.low, measured.high
    if figures.gaps:
        return Verdict.UNDECIDED, GenerationReason.INCOMPLETE, Advice.RUN_AGAIN
    if measured.share.queries < QUERIES_NEEDED or low is None or high is None:
        return Verdict.UNDECIDED, GenerationReason.TOO_FEW_QUERIES, Advice.ASK_MORE_QUERIES
    if low > THRESHOLD:
        return Verdict.YES, GenerationReason.ABOVE, _after_yes(measured)
    if high < THRESHOLD:
        return Verdict.NO, GenerationReason.BELOW, Advice.LOOK_ELSEWHERE
    if measured.contested_decides:  # more queries or repeats don't settle what contested time belongs to
        return Verdict.UNDECIDED, GenerationReason.CONTESTED, Advice.AVOID_PARALLEL_WORK
    return Verdict.UNDECIDED, GenerationReason.HOLDS_THRESHOLD, Advice.GATHER_EVIDENCE


def _after_yes(measured: MeasuredGeneration) -> Advice:
    if measured.decode.share is None:
        return Advice.SPLIT_DECODE
    if measured.prompt_first:
        return Advice.SHORTEN_PROMPT
    return Advice.SAY_LESS


def _needed(
    share: ShareEstimate, records: Sequence[QueryRecord], again: RepeatMethod
) -> RequiredSample | None:
    """None where the interval is off the threshold already, or where there is none."""
    interval = share.interval
    if interval is None or not interval.holds(THRESHOLD):
        return None
    widths = dict(half_widths(records, generation_ns))
    width, off = widths.pop(interval.over), abs(share.estimate - THRESHOLD)
    # more units of one kind leave what differs between those of the other
    other = math.hypot(*widths.values())
    margin = math.sqrt(max(0.0, off * off - other * other))
    units = units_needed(units=interval.units, half_width=width, margin=margin)
    alone = units_needed(units=interval.units, half_width=width, margin=off)
    beside = next(iter(widths)) if units is None and alone is not None else None
    # what differs between starts is not smoothed by repeats in one
    if interval.over is UnitKind.SERVER_START:
        return RequiredSample(
            units, interval.over, repeats=None, repeats_known=True, again=again, beside=beside
        )
    need = repeats_needed(repeats_by_query(records, generation_ns), margin=margin)
    return RequiredSample(units, interval.over, need.total, need.known, again, beside)
