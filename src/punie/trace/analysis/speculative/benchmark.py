"""A benchmark of draft models, analysed: is at least 20 % gained, at what accuracy and memory, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from punie.trace.analysis.speculative.arms import ArmSummary, Limits, expected_askings, summarise_arm
from punie.trace.analysis.speculative.decomposition import CacheCost, Decomposition, cache_cost, decompose
from punie.trace.analysis.speculative.losslessness import ArmLosslessness, Losslessness, gate
from punie.trace.analysis.speculative.model import (
    BATCHED,
    SAME_AGAIN,
    SEQUENTIAL,
    Arm,
    ArmKind,
    BenchPlan,
    Divergence,
    Observation,
    Prediction,
    Preflight,
    PromptCache,
)
from punie.trace.analysis.speculative.pairing import comparable, decode_ns, pair, wall_ns
from punie.trace.analysis.speculative.speedup import Best, SpeedUp, best_of, speed_up, widening
from punie.trace.analysis.verdicts.assessment import AskedQueries, Integrity
from punie.trace.model import Verdict
from punie.trace.units import count_text


@dataclass(frozen=True, slots=True)
class Measurements:
    """What a benchmark left behind: observations of all cells, what is wrong with their traces, logit gaps found."""

    plan: BenchPlan
    observations: tuple[Observation, ...]
    preflight: Preflight | None = None
    integrity: tuple[Integrity, ...] = ()
    gaps: tuple[Divergence, ...] = ()


@dataclass(frozen=True, slots=True)
class DraftResult:
    """One draft at one k, in one cache arm.

    `end_to_end` and `decode` are against the baseline that the user runs today, `against_sequential` is end to end
    against the path that drafts use. `barred` says why the arm can't be the best, whatever its speed; empty if it can.
    """

    arm: Arm
    end_to_end: SpeedUp | None
    decode: SpeedUp | None
    against_sequential: SpeedUp | None
    decode_against_sequential: SpeedUp | None
    prediction: Prediction | None
    gate: ArmLosslessness | None
    decomposition: Decomposition | None
    barred: str

    @property
    def verdict(self) -> Verdict:
        """Whether this arm, taken alone, reaches the threshold end to end."""
        return Verdict.UNDECIDED if self.end_to_end is None else self.end_to_end.verdict()


@dataclass(frozen=True, slots=True)
class BenchAnalysis:
    """A benchmark, analysed.

    `verdict` is on the threshold, end to end, for the best k, corrected for having chosen it; `reason` a clause that
    says what it rests on. `gap` says why nothing is claimed, empty if something can be. `same_again` is the baseline
    against itself: its interval is the noise floor. `ceiling` is the speed-up if decode took no time at all.
    `missing` askings of `planned` have no trace.
    """

    plan: BenchPlan
    preflight: Preflight | None
    baseline: Arm
    verdict: Verdict
    reason: str
    gap: str
    best: Best | None
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
        return {item.arm.name: item for item in self.arms}[name]

    @property
    def best_draft(self) -> DraftResult | None:
        """The draft arm that `best` is about."""
        name = self.best.speed_up.arm if self.best else None
        return next((item for item in self.drafts if item.arm.name == name), None)


def analyse_benchmark(measured: Measurements, limits: Limits = Limits()) -> BenchAnalysis:  # noqa: B008 # frozen
    """Analyse what a benchmark left behind, finished or not."""
    plan, observations = measured.plan, measured.observations
    counted = comparable(observations, plan)
    baseline = baseline_of(plan)
    lossless = gate(
        observations,
        plan,
        gaps=measured.gaps,
        logit_noise=measured.preflight.logit_noise if measured.preflight else None,
    )
    arms = tuple(summarise_arm(arm, observations, counted, limits) for arm in plan.arms)
    drafts = tuple(_results(measured, counted, baseline, lossless, arms))
    same_again = speed_up(counted, SAME_AGAIN, baseline.name, wall_ns)
    best = best_of(
        (d.end_to_end for d in drafts if d.end_to_end is not None and not d.barred), same_again=same_again
    )
    seen = {(s.arm, s.block, s.query_id, s.repeat) for s in observations}
    expected = expected_askings(plan)
    gap = _gap(measured.integrity, missing=len(expected - seen), planned=len(expected))
    verdict, reason = _verdict(best, drafts, gap)
    return BenchAnalysis(
        plan=plan,
        preflight=measured.preflight,
        baseline=baseline,
        verdict=verdict,
        reason=reason,
        gap=gap,
        best=best,
        drafts=drafts,
        sequential=speed_up(counted, SEQUENTIAL, baseline.name, wall_ns)
        if baseline.name != SEQUENTIAL
        else None,
        same_again=same_again,
        arms=arms,
        gate=lossless,
        cache_cost=cache_cost(counted, plan),
        ceiling=_ceiling(counted, baseline),
        planned=len(expected),
        missing=len(expected - seen),
        integrity=measured.integrity,
    )


def baseline_of(plan: BenchPlan) -> Arm:
    """What the user runs today: the batched arm, else the sequential one, else the first without a draft.

    Raises ValueError for a plan with drafts alone.
    """
    plain = {arm.name: arm for arm in plan.arms if arm.kind is not ArmKind.DRAFT}
    if not plain:
        raise ValueError("the plan has no arm without a draft")
    return plain.get(BATCHED) or plain.get(SEQUENTIAL) or next(iter(plain.values()))


def _results(
    measured: Measurements,
    counted: Sequence[Observation],
    baseline: Arm,
    lossless: Losslessness,
    arms: Sequence[ArmSummary],
) -> Iterable[DraftResult]:
    plan, preflight = measured.plan, measured.preflight
    of_arm = {item.arm.name: item for item in arms}
    drafts = [arm for arm in plan.arms if arm.kind is ArmKind.DRAFT]
    wider = {
        measure: widening(counted, [arm.name for arm in drafts], baseline.name, measure)
        for measure in (wall_ns, decode_ns)
    }
    for arm in drafts:
        yield DraftResult(
            arm=arm,
            end_to_end=speed_up(counted, arm.name, baseline.name, wall_ns, wider=wider[wall_ns]),
            decode=speed_up(counted, arm.name, baseline.name, decode_ns, wider=wider[decode_ns]),
            against_sequential=speed_up(counted, arm.name, SEQUENTIAL, wall_ns),
            decode_against_sequential=speed_up(counted, arm.name, SEQUENTIAL, decode_ns),
            prediction=_prediction(preflight, arm),
            gate=lossless.of(arm.name),
            decomposition=decompose(counted, plan, arm, baseline, preflight),
            barred=_barred(lossless.of(arm.name), of_arm[arm.name], of_arm[baseline.name]),
        )


def _prediction(preflight: Preflight | None, arm: Arm) -> Prediction | None:
    """The preflight's, which is about drafts without the prompt cache."""
    if preflight is None or arm.prompt_cache is PromptCache.SERVER:
        return None
    return next((p for p in preflight.predictions if (p.draft, p.k) == (arm.draft, arm.k)), None)


def _barred(lossless: ArmLosslessness | None, arm: ArmSummary, baseline: ArmSummary) -> str:
    if lossless is not None and lossless.verdict is Verdict.NO:
        return "its outputs are corrupt"
    if arm.accuracy.verdict is Verdict.NO and baseline.accuracy.verdict is not Verdict.NO:
        return "it gives wrong answers where the baseline gives none"
    return ""


def _gap(integrity: Sequence[Integrity], *, missing: int, planned: int) -> str:
    reasons = [f"{missing} of {count_text(planned, 'planned asking')} missing"] if missing else []
    evidence = AskedQueries((), tuple(integrity)).gap()
    return "; ".join([*reasons, *([evidence] if evidence else [])])


def _verdict(best: Best | None, drafts: Sequence[DraftResult], gap: str) -> tuple[Verdict, str]:
    if gap:
        return Verdict.UNDECIDED, gap
    if best is not None:
        return best.verdict, ""
    if drafts and all(draft.barred for draft in drafts):
        return Verdict.NO, "; ".join(f"{draft.arm.name}: {draft.barred}" for draft in drafts)
    return Verdict.UNDECIDED, "no draft arm has an answer that could be compared"


def _ceiling(counted: Sequence[Observation], baseline: Arm) -> float | None:
    wall = pair(counted, (baseline.name,), wall_ns).pairs
    decode = pair(counted, (baseline.name,), decode_ns).pairs
    if not decode or len(decode) < len(wall):
        return None
    whole, part = sum(p.values[0] for p in wall), sum(p.values[0] for p in decode)
    return whole / (whole - part) if whole > part else None
