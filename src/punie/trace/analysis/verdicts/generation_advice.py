"""What to do after the generation verdict: train, look elsewhere, or measure more.

Training a model to say less saves decode time only: prefill depends on the prompt, and everything outside
generation stays. So the advice rests on the decode share, not on the generation share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.decode import DecodeKnowledge, DecodeShare
from punie.trace.analysis.statistics.need import RepeatNeed, repeats_needed, units_needed
from punie.trace.analysis.statistics.share import ShareEstimate, repeats_by_query
from punie.trace.analysis.statistics.spread import Interval, UnitKind
from punie.trace.analysis.verdicts.assessment import JsonValue
from punie.trace.model import Group, Phase, Verdict
from punie.trace.units import percent_text, share_text


@dataclass(frozen=True, slots=True)
class JudgedShare:
    """The share that was judged, against what, with the decode share and the records beside it."""

    threshold: float
    measured: ShareEstimate
    decode: DecodeShare
    records: Sequence[QueryRecord]


def decided_advice(verdict: Verdict, judged: JudgedShare) -> str:
    """The next step after a `yes` or a `no`."""
    return _after_yes(judged) if verdict is Verdict.YES else _after_no(judged)


def evidence_needed(judged: JudgedShare) -> str:
    """The next step after an `undecided` whose interval holds the threshold."""
    interval = judged.measured.interval
    if interval is None:
        return "Ask more queries."
    units, repeats = _needed(judged, interval)
    plural = {"query": "queries", "server start": "server starts"}[interval.over.value]
    if units is None and repeats.total is None:
        return f"Not reachable by repeats or more {plural}: the share itself is about {percent_text(judged.threshold)}."
    ways = [f"about {units} {plural} like these {interval.units}"] if units is not None else []
    if repeats.total is not None:
        ways.append(f"about {repeats.total} repeats of each query")
    text = f"To decide: {', or '.join(ways)}."
    if repeats.total is None and repeats.known:
        text += " Not reachable by repeats alone."
    if not repeats.known:
        text += " What repeats would bring isn't known from one: try --repeat 3."
    return text


def needed_json(judged: JudgedShare) -> JsonValue:
    """How many units or repeats would bring the interval off the threshold; None if it is off already."""
    interval = judged.measured.interval
    if interval is None or not interval.holds(judged.threshold):
        return None
    units, repeats = _needed(judged, interval)
    return {
        "units": units,
        "unit": interval.over.value,
        "repeats": repeats.total,
        "repeats_known": repeats.known,
    }


def _needed(judged: JudgedShare, interval: Interval) -> tuple[int | None, RepeatNeed]:
    measured = judged.measured
    margin = abs(measured.estimate - judged.threshold)
    half_width = max(measured.estimate - interval.low, interval.high - measured.estimate)
    units = units_needed(units=interval.units, half_width=half_width, margin=margin)
    if (
        interval.over is UnitKind.SERVER_START
    ):  # what varies between starts is not smoothed by repeats within one
        return units, RepeatNeed(known=True, total=None)
    by_query = repeats_by_query(judged.records, lambda record: record.ledger.group_ns(Group.GENERATION))
    return units, repeats_needed(by_query, margin=margin)


def _after_yes(judged: JudgedShare) -> str:
    decode = judged.decode
    if decode.share is None:
        return (
            "Before training, split decode from prefill (a server whose own spans or stream are seen): "
            f"decode is at most {share_text(decode.at_most.estimate)}, and only decode shrinks when the model "
            "says less."
        )
    share = decode.share.estimate
    prefill = _pooled(judged.records)[Phase.PREFILL]
    if prefill > decode.at_most.estimate:
        return (
            f"Shorten or cache the prompt first: prefill is {share_text(prefill)}, decode {share_text(share)}, "
            "and only decode shrinks when the model says less."
        )
    return (
        f"Training the model to say less is worth a try: decode is {_at_least(decode)}{share_text(share)}, so "
        f"half the output tokens would save about {share_text(share / 2)} of the wall time."
    )


def _after_no(judged: JudgedShare) -> str:
    groups = {
        group: sum(record.ledger.group_ns(group) for record in judged.records)
        for group in Group
        if group is not Group.GENERATION
    }
    largest = max(groups, key=lambda group: groups[group])
    wall_ns = sum(record.wall_ns for record in judged.records)
    return (
        f"Look at {largest} first ({share_text(groups[largest] / wall_ns)}): training the model to say less "
        f"can save at most decode's {share_text(judged.decode.at_most.estimate)}."
    )


def _at_least(decode: DecodeShare) -> str:
    return "at least " if decode.knowledge is DecodeKnowledge.PARTLY else ""


def _pooled(records: Sequence[QueryRecord]) -> Mapping[Phase, float]:
    wall_ns = sum(record.wall_ns for record in records)
    return {phase: sum(r.ledger.phases_ns.get(phase, 0) for r in records) / wall_ns for phase in Phase}
