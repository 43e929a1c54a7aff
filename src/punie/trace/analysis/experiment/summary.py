"""One arm by itself: how long it took, whether it was right, what it drafted, what memory it took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from punie.trace.analysis.experiment.drafting import Drafting, add_up
from punie.trace.analysis.experiment.observation import Observation
from punie.trace.analysis.experiment.pairing import Measure, decode_ns, pair, prefill_ns, wall_ns
from punie.trace.analysis.verdicts.accuracy import AccuracyFigures, accuracy_verdict
from punie.trace.analysis.verdicts.assessment import Assessment, QueryEvidence
from punie.trace.analysis.verdicts.memory import MemorySource, MemoryUse, memory_verdict
from punie.trace.analysis.verdicts.target import DEFAULT_TARGET_NS, TargetFigures, target_verdict


@dataclass(frozen=True, slots=True)
class Limits:
    """What the arms are held against."""

    target_ns: int = DEFAULT_TARGET_NS
    max_memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One arm. Times are means of a pass through the queries, over blocks, of answers that count; None if unknown.

    `token_ns` is decode time over output tokens. `peak_bytes` is the allocator's, `footprint_bytes` the process's.
    `accuracy`, `target` and `memory` are verdicts on this arm alone.
    """

    arm: str
    asked: int
    failed: int
    truncated: int
    wall_ns: int | None
    prefill_ns: int | None
    decode_ns: int | None
    token_ns: float | None
    cached_tokens: int | None
    drafting: Drafting | None
    peak_bytes: int | None
    footprint_bytes: int | None
    accuracy: Assessment[AccuracyFigures]
    target: Assessment[TargetFigures]
    memory: Assessment[MemoryUse]


def summarise_arm(
    arm: str, observations: Sequence[Observation], comparable: Sequence[Observation], limits: Limits
) -> ArmSummary:
    """The summary of one arm; `comparable` are those of the observations that count in comparisons."""
    own = tuple(seen for seen in observations if seen.arm == arm)
    evidence = QueryEvidence(tuple(seen.record for seen in own))
    peaks = [seen.peak_bytes for seen in own if seen.peak_bytes is not None]
    footprints = [seen.footprint_bytes for seen in own if seen.footprint_bytes is not None]
    return ArmSummary(
        arm=arm,
        asked=len(own),
        failed=sum(seen.failed for seen in own),
        truncated=sum(seen.truncated for seen in own),
        wall_ns=_pass_ns(arm, comparable, wall_ns),
        prefill_ns=_pass_ns(arm, comparable, prefill_ns),
        decode_ns=_pass_ns(arm, comparable, decode_ns),
        token_ns=_token_ns(own),
        cached_tokens=_cached(own),
        drafting=add_up([seen.drafting for seen in own if seen.drafting is not None]),
        peak_bytes=max(peaks, default=None),
        footprint_bytes=max(footprints, default=None),
        accuracy=accuracy_verdict(evidence),
        target=target_verdict(evidence, limits.target_ns),
        memory=_memory(own, [*peaks, *footprints], limits),
    )


def expected_executions(
    arms: Sequence[str], *, blocks: int, queries: Sequence[str], repeats: int
) -> frozenset[tuple[str, int, str, int]]:
    """Arm, block, query and repeat of everything that a plan sets out to ask."""
    return frozenset(
        (arm, block, query_id, repeat)
        for arm in arms
        for block in range(blocks)
        for query_id in queries
        for repeat in range(repeats)
    )


def _pass_ns(arm: str, observations: Sequence[Observation], measure: Measure) -> int | None:
    """The sum over queries of each one's mean over blocks."""
    by_query: dict[str, list[float]] = {}
    for item in pair(observations, (arm,), measure).pairs:
        by_query.setdefault(item.query_id, []).append(item.values[0])
    return round(sum(math.fsum(v) / len(v) for v in by_query.values())) if by_query else None


def _token_ns(own: Sequence[Observation]) -> float | None:
    written = [
        (seen.decode_ns, seen.output_tokens)
        for seen in own
        if seen.counts and seen.decode_ns is not None and seen.output_tokens
    ]
    return sum(ns for ns, _ in written) / sum(tokens for _, tokens in written) if written else None


def _cached(own: Sequence[Observation]) -> int | None:
    counts = [seen.record.cached_tokens for seen in own]
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def _memory(own: Sequence[Observation], peaks: Sequence[int], limits: Limits) -> Assessment[MemoryUse]:
    recommended = [seen.recommended_bytes for seen in own if seen.recommended_bytes is not None]
    return memory_verdict(
        MemoryUse(
            peak_bytes=max(peaks, default=None),
            source=MemorySource.PROCESS_OR_ALLOCATOR,
            limit_bytes=limits.max_memory_bytes,
            recommended_bytes=min(recommended, default=None),
        )
    )
