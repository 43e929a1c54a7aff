"""What levers would save, from what the baseline's own spans predict (`analysis/what_if`).

Where nobody can know beforehand how far a lever moves things (how much shorter answers get), the prediction says what
it assumes, with ends that published results suggest. A lever without a function here says why it is not predicted.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Final

from punie.trace.analysis.causes.model import CauseKind
from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.ratio import RatioUnit, half_width, ratio
from punie.trace.analysis.statistics.spread import LEVEL
from punie.trace.analysis.what_if.improvements import CACHE, LESS_OUTPUT
from punie.trace.analysis.what_if.prediction import Saving
from punie.trace.bench.levers.lever import Evidence, LeverSaving
from punie.trace.model import Phase

_PREFILL_FASTER: Final = (1.0, 1.2, 1.5)


def cache_hit(evidence: Evidence, _value: str) -> LeverSaving | None:
    """A prompt cache that hits everywhere: measured, but for the cost of a token, which is fitted."""
    what_if, wall_ns = _what_if(evidence, CACHE), _wall_ns(evidence)
    if what_if is None or what_if.saved_ns is None or what_if.at_most_ns is None or not wall_ns:
        return None
    high = what_if.at_most_ns if what_if.high_ns is None else what_if.high_ns
    return LeverSaving(what_if.saved_ns / wall_ns, (what_if.low_ns or 0) / wall_ns, min(1.0, high / wall_ns))


def shorter_output(evidence: Evidence, _value: str) -> LeverSaving | None:
    """An instruction to be brief."""
    return _between(evidence, "output-20", LESS_OUTPUT, "output 20 % shorter (none to 40 %)")


def faster_decode(evidence: Evidence, _value: str) -> LeverSaving | None:
    """A draft model."""
    return _between(evidence, "decode-1.3", "decode-2", "decode 1.3 times as fast (1 to 2 times)")


def faster_prefill(evidence: Evidence, _value: str) -> LeverSaving | None:
    """Larger steps in reading prompts."""
    totals = evidence.analysis.totals if evidence.analysis else None
    if totals is None or any(phase.ns for phase in totals.phases if phase.phase is Phase.MODEL):
        return None
    share = sum(phase.share for phase in totals.phases if phase.phase is Phase.PREFILL)
    low, middle, high = (share * (1 - 1 / factor) for factor in _PREFILL_FASTER)
    return LeverSaving(middle, low, high, "prompts read 1.2 times as fast (1 to 1.5 times)")


def shorter_results(evidence: Evidence, value: str) -> LeverSaving | None:
    """Results of tools cut to `value` characters: the prefill that the rest of them took."""
    limit, saved = int(value), dict.fromkeys((r.ledger.query_key for r in evidence.records), 0.0)
    for read in evidence.reads:
        ns = read.over_ns(limit)
        if ns is None:
            return None
        if read.query_key in saved:
            saved[read.query_key] += ns
    return _of_records(evidence, saved, "as many turns and words as now") if evidence.reads else None


def capped_output(evidence: Evidence, value: str) -> LeverSaving | None:
    """At most `value` tokens an answer: the decode that the rest of them took."""
    predicted = evidence.analysis.what_if if evidence.analysis else None
    a_token = predicted.model.costs.per_output if predicted and predicted.model else None
    if a_token is None:
        return None
    cap = int(value)
    saved = {
        record.ledger.query_key: max(0, (record.output_tokens or 0) - cap) * a_token
        for record in evidence.records
    }
    return _of_records(evidence, saved, "what is beyond the cap isn't missed")


def tools_together(evidence: Evidence, _value: str) -> LeverSaving | None:
    """Tools that took a turn each although none needed another's result: between that turn's prefill and all of it."""
    cause = next((c for c in evidence.causes if c.kind is CauseKind.TOOL_PER_TURN), None)
    wall_ns = _wall_ns(evidence)
    if cause is None or cause.least_ns is None or cause.most_ns is None or not wall_ns:
        return None
    low, high = cause.least_ns / wall_ns, cause.most_ns / wall_ns
    return LeverSaving((low + high) / 2, low, min(1.0, high), "the model does as it is told")


def _of_records(evidence: Evidence, saved: Mapping[str, float], assuming: str) -> LeverSaving | None:
    """What is saved of each query's time, by its key, as a share of all; the interval is over queries.

    Each query has the mean of its repeats, however many of them count.
    """
    by_query: dict[str, list[QueryRecord]] = {}
    for record in filter(_counts, evidence.records):
        by_query.setdefault(record.query_id, []).append(record)
    units = [
        RatioUnit(
            statistics.fmean(saved.get(record.ledger.query_key, 0.0) for record in repeats),
            statistics.fmean(record.wall_ns for record in repeats),
        )
        for repeats in by_query.values()
    ]
    share, half = ratio(units), half_width(units, level=LEVEL)
    if share is None or half is None:
        return None
    return LeverSaving(share, max(0.0, share - half.value), min(1.0, share + half.value), assuming)


def _between(evidence: Evidence, slug: str, most: str, assuming: str) -> LeverSaving | None:
    middle, high = _what_if(evidence, slug), _what_if(evidence, most)
    if middle is None or middle.share is None or high is None or high.share is None:
        return None
    wall_ns = _wall_ns(evidence)
    end = high.share if high.high_ns is None or not wall_ns else min(1.0, high.high_ns / wall_ns)
    return LeverSaving(middle.share, 0.0, max(end, middle.share), assuming)


def _what_if(evidence: Evidence, slug: str) -> Saving | None:
    predicted = evidence.analysis.what_if if evidence.analysis else None
    return next((one for one in predicted.savings if one.slug == slug), None) if predicted else None


def _wall_ns(evidence: Evidence) -> float | None:
    """Of a query: the mean over queries, each with the mean of its repeats, as savings are."""
    by_query: dict[str, list[int]] = {}
    for record in filter(_counts, evidence.records):
        by_query.setdefault(record.query_id, []).append(record.wall_ns)
    return statistics.fmean(statistics.fmean(walls) for walls in by_query.values()) if by_query else None


def _counts(record: QueryRecord) -> bool:
    return record.counts
