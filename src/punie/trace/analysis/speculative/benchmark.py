"""A benchmark of draft models, analysed: is at least 20 % gained, at what accuracy and memory, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from punie.trace.analysis.experiment.arms import PromptCache
from punie.trace.analysis.experiment.losslessness import ArmLosslessness, Losslessness, gate
from punie.trace.analysis.experiment.observation import Divergence, Observation
from punie.trace.analysis.experiment.pairing import comparable, decode_ns, pair, wall_ns
from punie.trace.analysis.experiment.speedup import FastestArm, SpeedUp, best_of, speed_up, widening
from punie.trace.analysis.experiment.summary import ArmSummary, Limits, expected_executions, summarise_arm
from punie.trace.analysis.speculative.decomposition import CacheCost, Decomposition, cache_cost, decompose
from punie.trace.analysis.speculative.model import (
    BATCHED,
    SAME_AGAIN,
    SEQUENTIAL,
    THRESHOLD,
    BenchPlan,
    DecodingMode,
    Preflight,
    SpeculativeArm,
    SpeedUpPrediction,
)
from punie.trace.analysis.statistics.spread import LEVEL
from punie.trace.analysis.verdicts.assessment import Gap, Integrity, forbidding
from punie.trace.model import Verdict


class BenchReason(StrEnum):
    """What the verdict on the threshold rests on."""

    MEASURED = "measured"
    INCOMPLETE = "incomplete"
    ALL_BARRED = "all-barred"
    NOTHING_COMPARED = "nothing-compared"


class Disqualification(StrEnum):
    """Why an arm can't be the best, whatever its speed."""

    CORRUPT = "corrupt"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class BenchmarkMeasurements:
    """What a benchmark left behind: observations of all cells, what is wrong with their traces, logit gaps found.

    Intervals are made at `level`.
    """

    plan: BenchPlan
    observations: tuple[Observation, ...]
    preflight: Preflight | None = None
    integrity: tuple[Integrity, ...] = ()
    gaps: tuple[Divergence, ...] = ()
    level: float = LEVEL


@dataclass(frozen=True, slots=True)
class DraftResult:
    """One draft at one k, in one cache arm.

    `end_to_end` and `decode` are against the baseline that the user runs today, `against_sequential` is end to end
    against the path that drafts use. `barred` says why the arm can't be the best; None if it can.
    """

    arm: SpeculativeArm
    end_to_end: SpeedUp | None
    decode: SpeedUp | None
    against_sequential: SpeedUp | None
    decode_against_sequential: SpeedUp | None
    prediction: SpeedUpPrediction | None
    gate: ArmLosslessness | None
    decomposition: Decomposition | None
    barred: Disqualification | None

    @property
    def verdict(self) -> Verdict:
        """Whether this arm, taken alone, reaches the threshold end to end."""
        return Verdict.UNDECIDED if self.end_to_end is None else self.end_to_end.verdict(THRESHOLD)


@dataclass(frozen=True, slots=True)
class BenchAnalysis:
    """A benchmark, analysed.

    `verdict` is on the threshold, end to end, for the best k, corrected for having chosen it. `gaps` are findings that
    forbid a claim. `same_again` is the baseline against itself: its interval is the noise floor. `ceiling` is the
    speed-up if decode took no time at all.
    `missing` executions of `planned` have no trace.
    """

    plan: BenchPlan
    preflight: Preflight | None
    baseline: SpeculativeArm
    verdict: Verdict
    reason: BenchReason
    gaps: tuple[Gap, ...]
    best: FastestArm | None
    drafts: tuple[DraftResult, ...]
    sequential: SpeedUp | None
    same_again: SpeedUp | None
    arms: tuple[ArmSummary, ...]
    gate: Losslessness
    cache_cost: CacheCost | None
    ceiling: float | None
    planned: int
    missing: int
    integrity: tuple[Integrity, ...]

    def summary(self, name: str) -> ArmSummary:
        """The arm called `name`. Raises KeyError."""
        return {item.arm: item for item in self.arms}[name]

    @property
    def best_draft(self) -> DraftResult | None:
        """The draft arm that `best` is about."""
        name = self.best.speed_up.arm if self.best else None
        return next((item for item in self.drafts if item.arm.name == name), None)

    @property
    def best_losslessness(self) -> ArmLosslessness | None:
        """Whether the arm that `best` is about says what the baseline says; None without such an arm."""
        return self.gate.of(self.best.speed_up.arm) if self.best else None

    @property
    def cache_is_to_blame(self) -> bool:
        """Whether outputs differ in drafts with the prompt cache on, and in none without it."""
        wrong = {
            cache: [
                item.gate.is_wrong for item in self.drafts if item.gate and item.arm.prompt_cache is cache
            ]
            for cache in PromptCache
        }
        without = wrong[PromptCache.OFF]
        return any(wrong[PromptCache.SERVER]) and bool(without) and not any(without)

    @property
    def usable(self) -> Verdict:
        """Whether a draft should be used: it reaches the threshold, and its outputs are the baseline's."""
        lossless = self.best_losslessness
        if self.verdict is not Verdict.YES or (lossless and lossless.verdict is Verdict.YES):
            return self.verdict
        return Verdict.UNDECIDED


def analyse_benchmark(measured: BenchmarkMeasurements, limits: Limits = Limits()) -> BenchAnalysis:  # noqa: B008 # frozen
    """Analyse what a benchmark left behind, finished or not."""
    plan, observations = measured.plan, measured.observations
    counted = comparable(observations, plan.cached)
    baseline = baseline_of(plan)
    lossless = gate(
        observations,
        plan.compared,
        gaps=measured.gaps,
        logit_noise=measured.preflight.logit_noise if measured.preflight else None,
    )
    arms = tuple(summarise_arm(arm.name, observations, counted, limits) for arm in plan.arms)
    drafts = tuple(_results(measured, counted, baseline, lossless, arms))
    same_again = speed_up(counted, SAME_AGAIN, baseline.name, wall_ns, level=measured.level)
    best = best_of(
        (d.end_to_end for d in drafts if d.end_to_end is not None and not d.barred), same_again=same_again
    )
    seen = {(s.arm, s.block, s.query_id, s.repeat) for s in observations}
    expected = expected_executions(
        [arm.name for arm in plan.arms], blocks=plan.blocks, queries=plan.queries, repeats=plan.repeats
    )
    missing, gaps = len(expected - seen), forbidding(measured.integrity)
    verdict, reason = _verdict(best, drafts, complete=not (missing or gaps))
    return BenchAnalysis(
        plan=plan,
        preflight=measured.preflight,
        baseline=baseline,
        verdict=verdict,
        reason=reason,
        gaps=gaps,
        best=best,
        drafts=drafts,
        sequential=speed_up(counted, SEQUENTIAL, baseline.name, wall_ns, level=measured.level)
        if baseline.name != SEQUENTIAL
        else None,
        same_again=same_again,
        arms=arms,
        gate=lossless,
        cache_cost=cache_cost(counted, plan),
        ceiling=_ceiling(counted, baseline),
        planned=len(expected),
        missing=missing,
        integrity=measured.integrity,
    )


def baseline_of(plan: BenchPlan) -> SpeculativeArm:
    """What the user runs today: the batched arm, else the sequential one, else the first without a draft.

    Raises ValueError for a plan with drafts alone.
    """
    plain = {arm.name: arm for arm in plan.arms if arm.kind is not DecodingMode.DRAFT}
    if not plain:
        raise ValueError("the plan has no arm without a draft")
    return plain.get(BATCHED) or plain.get(SEQUENTIAL) or next(iter(plain.values()))


def _results(
    measured: BenchmarkMeasurements,
    counted: Sequence[Observation],
    baseline: SpeculativeArm,
    lossless: Losslessness,
    arms: Sequence[ArmSummary],
) -> Iterable[DraftResult]:
    plan, preflight, level = measured.plan, measured.preflight, measured.level
    of_arm = {item.arm: item for item in arms}
    drafts = [arm for arm in plan.arms if arm.kind is DecodingMode.DRAFT]
    wider = {
        measure: widening(counted, [arm.name for arm in drafts], baseline.name, measure, level=level)
        for measure in (wall_ns, decode_ns)
    }
    for arm in drafts:
        yield DraftResult(
            arm=arm,
            end_to_end=speed_up(counted, arm.name, baseline.name, wall_ns, wider=wider[wall_ns], level=level),
            decode=speed_up(counted, arm.name, baseline.name, decode_ns, wider=wider[decode_ns], level=level),
            against_sequential=speed_up(counted, arm.name, SEQUENTIAL, wall_ns, level=level),
            decode_against_sequential=speed_up(counted, arm.name, SEQUENTIAL, decode_ns, level=level),
            prediction=_prediction(preflight, arm),
            gate=lossless.of(arm.name),
            decomposition=decompose(counted, plan, arm, baseline, preflight),
            barred=_barred(lossless.of(arm.name), of_arm[arm.name], of_arm[baseline.name]),
        )


def _prediction(preflight: Preflight | None, arm: SpeculativeArm) -> SpeedUpPrediction | None:
    """The preflight's, which is about drafts without the prompt cache."""
    if preflight is None or arm.prompt_cache is PromptCache.SERVER:
        return None
    return next((p for p in preflight.predictions if (p.draft, p.k) == (arm.draft, arm.k)), None)


def _barred(
    lossless: ArmLosslessness | None, arm: ArmSummary, baseline: ArmSummary
) -> Disqualification | None:
    if lossless is not None and lossless.verdict is Verdict.NO:
        return Disqualification.CORRUPT
    if arm.accuracy.verdict is Verdict.NO and baseline.accuracy.verdict is not Verdict.NO:
        return Disqualification.WRONG
    return None


def _verdict(
    best: FastestArm | None, drafts: Sequence[DraftResult], *, complete: bool
) -> tuple[Verdict, BenchReason]:
    if not complete:
        return Verdict.UNDECIDED, BenchReason.INCOMPLETE
    if best is not None:
        return best.verdict(THRESHOLD), BenchReason.MEASURED
    if drafts and all(draft.barred for draft in drafts):
        return Verdict.NO, BenchReason.ALL_BARRED
    return Verdict.UNDECIDED, BenchReason.NOTHING_COMPARED


def _ceiling(counted: Sequence[Observation], baseline: SpeculativeArm) -> float | None:
    wall = pair(counted, (baseline.name,), wall_ns).pairs
    decode = pair(counted, (baseline.name,), decode_ns).pairs
    if not decode or len(decode) < len(wall):
        return None
    whole, part = sum(p.values[0] for p in wall), sum(p.values[0] for p in decode)
    return whole / (whole - part) if whole > part else None
