"""Why a draft brings what it brings: the way from the baseline's time to the arm's, in parts that add up.

    batched ──lost batching, lost cache──▶ sequential ──draft's prefill, fewer steps, draft, verification──▶ draft

Everything but the split of drafting is measured. That split is the formula's, with the acceptance measured in the
arm and the costs measured in the preflight; what it doesn't explain is a part of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from punie.trace.analysis.experiment.arms import PromptCache
from punie.trace.analysis.experiment.observation import Observation
from punie.trace.analysis.experiment.pairing import Measure, decode_ns, pair, prefill_ns, wall_ns
from punie.trace.analysis.speculative.model import SEQUENTIAL, BenchPlan, Preflight, SpeculativeArm


class DraftEffect(StrEnum):
    """A part of the difference, in the order of the report."""

    BATCHING = "lost batching"
    CACHE = "lost cache"
    PREFILL_PATH = "prefill by the other path"
    DRAFT_PREFILL = "the draft's prefill"
    FEWER_STEPS = "fewer steps (acceptance)"
    DRAFT_COST = "draft cost"
    VERIFICATION = "verification cost"
    DRAFTING = "drafting, not split"
    UNEXPLAINED = "decode not explained"
    OUTSIDE = "outside the model"


@dataclass(frozen=True, slots=True)
class EffectPart:
    """Nanoseconds that a cause adds to a pass through the queries (negative: it saves them)."""

    cause: DraftEffect
    ns: int


@dataclass(frozen=True, slots=True)
class Decomposition:
    """The parts sum to `arm_ns - baseline_ns` exactly; all are means of a pass through the paired queries."""

    arm: str
    baseline: str
    baseline_ns: int
    arm_ns: int
    pairs: int
    parts: tuple[EffectPart, ...]

    def check(self) -> None:
        """Raises AssertionError if the parts don't add up: that is a bug."""
        if sum(part.ns for part in self.parts) != self.arm_ns - self.baseline_ns:
            raise AssertionError(f"decomposition of {self.arm} doesn't add up: {self}")

    @property
    def worst(self) -> EffectPart | None:
        """The part that costs most; None if nothing costs anything."""
        costly = [part for part in self.parts if part.ns > 0]
        return max(costly, key=lambda part: part.ns, default=None)


@dataclass(frozen=True, slots=True)
class CacheCost:
    """Prefill of a pass through the queries with the prompt cache and without, as two arms measured it."""

    with_cache: str
    without: str
    with_ns: int
    without_ns: int


def decompose(
    observations: Sequence[Observation],
    plan: BenchPlan,
    arm: SpeculativeArm,
    baseline: SpeculativeArm,
    preflight: Preflight | None,
) -> Decomposition | None:
    """The parts of one draft arm; None where the three arms have no common query with its phases known."""
    arms = (baseline.name, SEQUENTIAL, arm.name)
    passes = {name: _means(observations, arms, measure) for name, measure in _MEASURES.items()}
    wall, decode, prefill = passes["wall"], passes["decode"], passes["prefill"]
    if (
        wall is None
        or decode is None
        or prefill is None
        or len({p.pairs for p in (wall, decode, prefill)}) > 1
    ):
        return None
    first = baseline.prompt_cache is PromptCache.SERVER and _cache_of(plan, SEQUENTIAL) is PromptCache.OFF
    parts = [
        EffectPart(DraftEffect.BATCHING, decode.ns[1] - decode.ns[0]),
        EffectPart(DraftEffect.CACHE if first else DraftEffect.PREFILL_PATH, prefill.ns[1] - prefill.ns[0]),
        EffectPart(DraftEffect.DRAFT_PREFILL, prefill.ns[2] - prefill.ns[1]),
        *_drafting(observations, arm, preflight, decode.ns[1], decode.ns[2]),
    ]
    rest = wall.ns[2] - wall.ns[0] - sum(part.ns for part in parts)
    decomposition = Decomposition(
        arm.name,
        baseline.name,
        wall.ns[0],
        wall.ns[2],
        wall.pairs,
        (*parts, EffectPart(DraftEffect.OUTSIDE, rest)),
    )
    decomposition.check()
    return decomposition


def cache_cost(observations: Sequence[Observation], plan: BenchPlan) -> CacheCost | None:
    """What the prompt cache off costs in prefill; None where no arms show it.

    From two arms that differ in nothing else, else from batched and sequential.
    """
    for with_cache, without in _cache_pairs(plan):
        means = _means(observations, (with_cache, without), prefill_ns)
        if means is not None:
            return CacheCost(with_cache, without, *means.ns)
    return None


def tokens_per_step(observations: Sequence[Observation], arm: str) -> float | None:
    """Tokens that a step yielded in an arm, as measured; None without drafting."""
    drafting = [seen.drafting for seen in observations if seen.arm == arm and seen.drafting]
    steps = sum(item.steps for item in drafting)
    return 1 + sum(item.accepted for item in drafting) / steps if steps else None


_MEASURES: Mapping[str, Measure] = {"wall": wall_ns, "decode": decode_ns, "prefill": prefill_ns}


@dataclass(frozen=True, slots=True)
class _Means:
    """Nanoseconds of a pass through the paired queries in each of several arms."""

    pairs: int
    ns: tuple[int, ...]


def _means(observations: Sequence[Observation], arms: Sequence[str], measure: Measure) -> _Means | None:
    pairs = pair(observations, arms, measure).pairs
    if not pairs:
        return None
    blocks = len({item.block for item in pairs})
    sums = (sum(item.values[index] for item in pairs) for index in range(len(arms)))
    return _Means(len(pairs), tuple(round(total / blocks) for total in sums))


def _drafting(
    observations: Sequence[Observation],
    arm: SpeculativeArm,
    preflight: Preflight | None,
    before_ns: int,
    after_ns: int,
) -> list[EffectPart]:
    tokens = tokens_per_step(observations, arm.name)
    costs = _costs(arm, preflight)
    if tokens is None or costs is None or arm.k is None:
        return [EffectPart(DraftEffect.DRAFTING, after_ns - before_ns)]
    draft_cost, verification = costs
    parts = [
        EffectPart(DraftEffect.FEWER_STEPS, round(before_ns * (1 / tokens - 1))),
        EffectPart(DraftEffect.DRAFT_COST, round(before_ns * arm.k * draft_cost / tokens)),
        EffectPart(DraftEffect.VERIFICATION, round(before_ns * (verification - 1) / tokens)),
    ]
    return [
        *parts,
        EffectPart(DraftEffect.UNEXPLAINED, after_ns - before_ns - sum(part.ns for part in parts)),
    ]


def _costs(arm: SpeculativeArm, preflight: Preflight | None) -> tuple[float, float] | None:
    if preflight is None or arm.k is None:
        return None
    draft = next((item.cost.value for item in preflight.drafts if item.draft == arm.draft), None)
    verification = next(
        (item.relative.value for item in preflight.verification if item.tokens == arm.k + 1), None
    )
    return None if draft is None or verification is None else (draft, verification)


def _cache_of(plan: BenchPlan, name: str) -> PromptCache | None:
    return next((arm.prompt_cache for arm in plan.arms if arm.name == name), None)


def _cache_pairs(plan: BenchPlan) -> list[tuple[str, str]]:
    """Arms with the cache and without: those alike in all else first, drafts before others, then any two."""
    cached = [arm for arm in plan.arms if arm.prompt_cache is PromptCache.SERVER]
    plain = [arm for arm in plan.arms if arm.prompt_cache is PromptCache.OFF]
    alike = [
        (one.name, other.name)
        for one in sorted(cached, key=lambda arm: arm.draft is None)
        for other in plain
        if (one.kind, one.draft, one.k) == (other.kind, other.draft, other.k)
    ]
    loosely = [
        (one.name, other.name) for one in cached for other in plain if one.draft is other.draft is None
    ]
    return [*alike, *loosely]
