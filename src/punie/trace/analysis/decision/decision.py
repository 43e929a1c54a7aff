"""The decision as a whole: where the time goes, which levers help, whether the target is met, whether to train.

The order is that of the costs: a lever or a lossless draft is a setting, training a model to say less is days of work
that may cost accuracy. So training is looked at last, only if the target is still missed, and only if generation is
what takes the time; what it can save at best is decode.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from punie.trace.analysis.causes.model import Cause
from punie.trace.analysis.decision.levers import NOTHING_TRIED, Trials
from punie.trace.analysis.improvement.ranking import LEAST_SHARE
from punie.trace.analysis.speculative.benchmark import BenchAnalysis
from punie.trace.analysis.speculative.model import THRESHOLD
from punie.trace.analysis.summary.summary import RunAnalysis
from punie.trace.analysis.tuning.training import Training
from punie.trace.analysis.verdicts.assessment import Advice, Assessment
from punie.trace.analysis.verdicts.generation import GenerationFigures
from punie.trace.analysis.verdicts.target import TargetFigures
from punie.trace.analysis.what_if.prediction import Saving
from punie.trace.model import Verdict


class BrevityReason(StrEnum):
    """Why the model should, or shouldn't, be trained to say less."""

    TARGET_MET = "target-met"
    DRAFT_OPEN = "draft-open"
    TARGET_OPEN = "target-open"
    TIME_OPEN = "time-open"
    DECODE_NOT_KNOWN = "decode-not-known"
    PAYS = "pays"
    TRAINED = "trained"
    TIME_IS_ELSEWHERE = "time-is-elsewhere"


@dataclass(frozen=True, slots=True)
class TargetStep:
    """Whether the target is met: `today`, and with `arm`, the lever or draft that pays most (None: none does)."""

    today: Assessment[TargetFigures]
    arm: str | None
    with_draft: Assessment[TargetFigures] | None

    @property
    def counts(self) -> Assessment[TargetFigures]:
        """The assessment that decides."""
        return self.with_draft or self.today


@dataclass(frozen=True, slots=True)
class Decision:
    """All steps in order: `time`, what was `tried` of levers, `draft` (whether one can be used), `target`, `brevity`.

    `savings` are what the run predicts of levers, `causes` what in the user's own code costs time. `trained` is a
    training of this model to say less: where there is one, what it came to is the last step's answer.
    `ceiling` is the speed-up if decode took no time at all, at the favourable end of its interval; None with a
    benchmark, which has its own, and where it isn't known. Below the threshold it excludes every draft.
    """

    run: RunAnalysis
    bench: BenchAnalysis | None
    time: Assessment[GenerationFigures]
    draft: Verdict
    ceiling: float | None
    target: TargetStep
    brevity: Verdict
    brevity_reason: BrevityReason
    tried: Trials = NOTHING_TRIED
    causes: tuple[Cause, ...] = ()
    trained: Training | None = None

    @property
    def savings(self) -> tuple[Saving, ...]:
        """What could be changed by a lever, by what the run predicts: the most first, nothing that can't matter."""
        savings = self.run.what_if.savings if self.run.what_if else ()
        return tuple(one for one in savings if one.lever and (one.share or 0) >= LEAST_SHARE)


def decide(
    run: RunAnalysis,
    bench: BenchAnalysis | None = None,
    tried: Trials = NOTHING_TRIED,
    causes: tuple[Cause, ...] = (),
    trained: Training | None = None,
) -> Decision:
    """The decision from a run, and from what was measured of the same model and suite (the caller's word)."""
    time, target = run.verdicts.generation, _target(run, bench, tried)
    ceiling = _ceiling(time) if bench is None else None
    out_of_reach = ceiling is not None and ceiling < THRESHOLD
    draft = bench.usable if bench else Verdict.NO if out_of_reach else Verdict.UNDECIDED
    reason = _brevity_reason(time, draft, target.counts.verdict)
    if trained is not None:
        reason = BrevityReason.TRAINED
    return Decision(
        run=run,
        bench=bench,
        time=time,
        draft=draft,
        ceiling=ceiling,
        target=target,
        brevity=trained.verdict if trained else _BREVITY.get(reason, Verdict.UNDECIDED),
        brevity_reason=reason,
        tried=tried,
        causes=causes,
        trained=trained,
    )


_BREVITY = {
    BrevityReason.PAYS: Verdict.YES,
    BrevityReason.TARGET_MET: Verdict.NO,
    BrevityReason.TIME_IS_ELSEWHERE: Verdict.NO,
}


def _ceiling(time: Assessment[GenerationFigures]) -> float | None:
    measured = time.figures.measured
    interval = measured.decode.at_most.interval if measured else None
    if interval is None or time.figures.gaps:
        return None
    return math.inf if interval.high >= 1 else 1 / (1 - interval.high)


def _target(run: RunAnalysis, bench: BenchAnalysis | None, tried: Trials) -> TargetStep:
    today = run.verdicts.target
    usable = [(arm.speed_up, arm.name, arm.target) for arm in (tried.best,) if arm is not None]
    draft = bench.best_draft if bench is not None and bench.usable is Verdict.YES else None
    if bench is not None and draft is not None:
        speed_up = bench.best.speed_up.estimate if bench.best else 1.0
        usable.append((speed_up, draft.arm.name, bench.summary(draft.arm.name).target))
    if not usable or today.verdict is Verdict.YES:
        return TargetStep(today, None, None)
    _, name, target = max(usable, key=lambda one: one[0])
    return TargetStep(today, name, target)


def _brevity_reason(time: Assessment[GenerationFigures], draft: Verdict, target: Verdict) -> BrevityReason:
    if target is Verdict.YES:
        return BrevityReason.TARGET_MET
    if draft is Verdict.UNDECIDED:
        return BrevityReason.DRAFT_OPEN
    if target is Verdict.UNDECIDED:
        return BrevityReason.TARGET_OPEN
    if time.verdict is Verdict.UNDECIDED:
        return BrevityReason.TIME_OPEN
    if time.advice is Advice.SPLIT_DECODE:
        return BrevityReason.DECODE_NOT_KNOWN
    return BrevityReason.PAYS if time.advice is Advice.SAY_LESS else BrevityReason.TIME_IS_ELSEWHERE
