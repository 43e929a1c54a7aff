"""The decision as sentences: each step with its question, its figure, what it rests on and what follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from punie.trace.analysis.decision.decision import BrevityReason, Decision
from punie.trace.analysis.decision.levers import TriedArm
from punie.trace.analysis.speculative.benchmark import BenchAnalysis
from punie.trace.analysis.speculative.model import THRESHOLD
from punie.trace.analysis.statistics.spread import Interval
from punie.trace.analysis.tuning.training import Training
from punie.trace.analysis.verdicts.assessment import Assessment
from punie.trace.analysis.verdicts.generation import MeasuredGeneration
from punie.trace.model import Verdict
from punie.trace.report.inert import one_line
from punie.trace.report.wording import training as training_words
from punie.trace.report.wording.advice import half_output_text, next_step
from punie.trace.report.wording.causes import cause_name
from punie.trace.report.wording.speculative import LOSSLESSNESS_GAPS, bench_advice, reason_text
from punie.trace.report.wording.verdicts import basis
from punie.trace.units import confidence_text, count_text, duration_text, factor_text, share_text

NOT_KNOWN: Final = "not known"
_MEASURE: Final = "Measure it: punie-trace bench speculative --model M --draft D --num-draft-tokens 2,3,5."
_TIME: Final = "Is generation more than 70 % of the time?"
_DRAFT: Final = f"Does a lossless draft make it {round(100 * (THRESHOLD - 1))} % faster?"
_LEVERS: Final = "Does a lever make it faster at the same accuracy?"
_TRY: Final = "Try levers: punie-trace improve, with the model, the agent and the suite of this run."
_TARGET: Final = "Is the target met?"
_BREVITY: Final = "Train the model to write shorter answers?"
_BREVITY_BASIS: Final = {
    BrevityReason.TARGET_MET: "The target is met.",
    BrevityReason.DRAFT_OPEN: "Whether a draft is enough is open, and a draft costs less than training.",
    BrevityReason.TARGET_OPEN: "Whether the target is met is open.",
    BrevityReason.TIME_OPEN: "Whether generation takes the time is open.",
    BrevityReason.DECODE_NOT_KNOWN: "Generation is above 70 %, and how much of it is decode isn't known.",
    BrevityReason.PAYS: "Generation is above 70 %, and the target isn't met.",
    BrevityReason.TIME_IS_ELSEWHERE: "Something else takes the time.",
}
_WITH_DRAFT: Final = {
    Verdict.YES: "the target is met with it",
    Verdict.NO: "the target is still missed",
    Verdict.UNDECIDED: "whether the target is met with it is open",
}


@dataclass(frozen=True, slots=True)
class DecisionStep:
    """One step of the decision: its verdict, the figure as text, what it rests on, what follows.

    Names, in order: `time`, `levers`, `draft`, `target`, `brevity`. `measured` is False where nobody has measured it.
    """

    name: str
    question: str
    verdict: Verdict
    figure: str
    basis: str
    next_step: str
    measured: bool = True


def steps(decision: Decision) -> tuple[DecisionStep, ...]:
    """All steps in order."""
    return _time(decision), _levers(decision), _draft(decision), _target(decision), _brevity(decision)


def conclusion(decision: Decision) -> str:
    """What to do now: the first thing that is open or that pays."""
    draft, target = decision.draft, decision.target.counts.verdict
    if decision.tried.best is not None and decision.target.arm in (None, decision.tried.best.name):
        then = (_draft if draft is Verdict.UNDECIDED else _brevity)(decision).next_step
        more = f" Then: {then}" if target is Verdict.NO else ""
        return f"{_levers(decision).next_step} By that {_WITH_DRAFT[target]}.{more}"
    if draft is Verdict.YES:
        more = f" Then: {_brevity(decision).next_step}" if target is Verdict.NO else ""
        return f"{_draft(decision).next_step} By that {_WITH_DRAFT[target]}.{more}"
    if decision.trained is not None and decision.brevity is Verdict.YES:
        return _brevity(decision).next_step
    if target is Verdict.YES:
        return "The target is met: nothing has to change."
    if decision.tried.verdict is Verdict.UNDECIDED and (
        decision.tried.arms or decision.savings or decision.causes
    ):
        return _levers(decision).next_step
    return (_draft if draft is Verdict.UNDECIDED else _brevity)(decision).next_step


def _time(decision: Decision) -> DecisionStep:
    time, totals = decision.time, decision.run.totals
    if totals is None:
        return DecisionStep(
            "time", _TIME, time.verdict, NOT_KNOWN, basis(time), next_step(time), measured=False
        )
    shares = ", ".join(
        f"{total.group} {share_text(total.share) if total.known else NOT_KNOWN}" for total in totals.groups
    )
    figure = NOT_KNOWN if time.estimate is None else f"generation {share_text(time.estimate)}"
    # what follows from a yes is the last step's to say
    after = "" if time.verdict is Verdict.YES else next_step(time)
    return DecisionStep("time", _TIME, time.verdict, figure, f"{basis(time)} All of it: {shares}.", after)


def _levers(decision: Decision) -> DecisionStep:
    tried, best = decision.tried, decision.tried.best
    if best is not None:
        ends = _ends(best.interval)
        unchanged = "the same answers" if best.same else "no query that was right became wrong"
        text = f"{one_line(best.name)} in {one_line(best.source)}{ends}, {unchanged}."
        after = f"Use it: {one_line(best.name)}{_config(best)}."
        return DecisionStep("levers", _LEVERS, tried.verdict, factor_text(best.speed_up), text, after)
    if tried.verdict is Verdict.NO:
        where = ", ".join(dict.fromkeys(map(one_line, (*(a.source for a in tried.arms), *tried.in_vain))))
        text = f"Nothing that was tried in {where} is faster and keeps its gates."
        return DecisionStep("levers", _LEVERS, tried.verdict, "none", text, "Leave them out.")
    text, after = " ".join(_promises(decision)) or "Nothing was tried.", _TRY
    if tried.arms:
        names = ", ".join(one_line(arm.name) for arm in tried.arms if arm.verdict is Verdict.UNDECIDED)
        text, after = f"Open: {names}.", "Go on with more blocks: --resume FOLDER."
    return DecisionStep(
        "levers", _LEVERS, tried.verdict, "not measured", text, after, measured=bool(tried.arms)
    )


def _ends(interval: Interval | None) -> str:
    if interval is None:
        return ""
    level = confidence_text(interval.level)
    low, high = (factor_text(end, threshold=1.0) for end in (interval.low, interval.high))
    return f", {level} interval {low} to {high} over {count_text(interval.units, 'block')}"


def _config(best: TriedArm) -> str:
    """Where an improvement left what has to be set."""
    return f" (punie-trace run --config {one_line(best.source)}/config.toml)" if best.from_improvement else ""


def _promises(decision: Decision) -> Iterator[str]:
    """What the run predicts of levers, and what it shows in the user's own code."""
    if decision.savings:
        parts = (f"{one.lever} {share_text(one.share or 0)}" for one in decision.savings)
        yield f"Predicted of the time: {', '.join(parts)}."
    if decision.causes:
        yield f"In your own code: {', '.join(map(cause_name, decision.causes))}."


def _draft(decision: Decision) -> DecisionStep:
    bench, verdict = decision.bench, decision.draft
    if bench is None and verdict is Verdict.NO:
        ceiling = factor_text(decision.ceiling or 1.0)
        text = f"Not even without any decode: that would be {ceiling} at most, by these queries."
        return DecisionStep(
            "draft", _DRAFT, verdict, f"at most {ceiling}", text, "Don't use a draft.", measured=False
        )
    if bench is None:
        return DecisionStep(
            "draft", _DRAFT, verdict, "not measured", "No benchmark was given.", _MEASURE, measured=False
        )
    best, after = bench.best, bench_advice(bench)[0] if bench_advice(bench) else "Don't use a draft."
    if best is None or best.interval is None:
        reason = reason_text(bench) or "one block has no interval"
        return DecisionStep("draft", _DRAFT, verdict, NOT_KNOWN, f"{reason}.".capitalize(), after)
    level = confidence_text(best.interval.level)
    low, high = (factor_text(end, threshold=THRESHOLD) for end in (best.interval.low, best.interval.high))
    text = (
        f"{best.speed_up.arm} against {best.speed_up.baseline}, {level} interval {low} to {high} over "
        f"{count_text(best.interval.units, 'block')}"
    )
    reasons = "; ".join(part for part in (text, _outputs(bench), reason_text(bench)) if part)
    return DecisionStep("draft", _DRAFT, verdict, factor_text(best.speed_up.estimate), f"{reasons}.", after)


def _outputs(bench: BenchAnalysis) -> str:
    arm = bench.best_losslessness
    match arm.verdict if arm else Verdict.UNDECIDED:
        case Verdict.YES:
            return "its outputs are the baseline's"
        case Verdict.NO:
            return "its outputs are corrupt"
        case Verdict.UNDECIDED:
            gap = LOSSLESSNESS_GAPS[arm.gap] if arm else "not compared"
            return f"whether its outputs are the baseline's is open ({gap})"


def _target(decision: Decision) -> DecisionStep:
    step = decision.target
    counts, text = step.counts, basis(step.counts)
    if step.with_draft is not None:
        today = f"As it is: {step.today.verdict.value}, {_slowest(step.today)}."
        text = f"With {step.arm}: {text} {today}"
    return DecisionStep("target", _TARGET, counts.verdict, _slowest(counts), text, next_step(counts))


def _slowest(target: Assessment[Any]) -> str:
    return NOT_KNOWN if target.estimate is None else f"slowest median {duration_text(target.estimate)}"


def _brevity(decision: Decision) -> DecisionStep:
    if decision.trained is not None:
        return _trained(decision.trained)
    measured = decision.time.figures.measured
    text = " ".join((_BREVITY_BASIS[decision.brevity_reason], *_ceiling(measured)))
    figure, known = NOT_KNOWN, False
    if measured is not None:
        known = measured.decode.share is not None
        figure = f"decode {'' if known else '≤ '}{share_text(measured.decode.at_most.estimate)}"
    return DecisionStep(
        "brevity", _BREVITY, decision.brevity, figure, text, _after_brevity(decision), measured=known
    )


def _trained(training: Training) -> DecisionStep:
    """What a training of this model came to."""
    judged = training.judgement.chosen if training.judgement else None
    figure = NOT_KNOWN
    if judged is not None and judged.times is not None:
        saved = judged.times.saved
        figure = f"{share_text(abs(saved))} {'less' if saved >= 0 else 'more'} wall time"
    text = f"Tried in {one_line(training.source)}: {training_words.basis(training)}"
    after = " ".join(training_words.next_steps(training))
    return DecisionStep(
        "brevity", _BREVITY, training.verdict, figure, text, after, measured=judged is not None
    )


def _after_brevity(decision: Decision) -> str:
    match decision.brevity_reason:
        case BrevityReason.TARGET_MET:
            return "Nothing to do; keep the target as a gate."
        case BrevityReason.DRAFT_OPEN:
            return "Decide step 3 first."
        case BrevityReason.TARGET_OPEN:
            return next_step(decision.target.counts)
        case BrevityReason.PAYS:
            return (
                "Train on the model's own shortest right answers, and hold accuracy against the same suite."
            )
        case _:
            return next_step(decision.time)


def _ceiling(measured: MeasuredGeneration | None) -> Iterator[str]:
    """What saying less could bring at best: no decode at all, which nobody reaches."""
    if measured is None:
        yield "How much of it is decode isn't known."
        return
    share, at_most = measured.decode.at_most.estimate, "" if measured.decode.share else "at most "
    most = "" if share >= 1 else f", none at all would be {factor_text(1 / (1 - share))}"
    half = measured.half_output if measured.decode.share else share / 2
    yield f"Decode is {at_most}{share_text(share)}: {half_output_text(half, at_most)}{most}."
    if measured.prefill_share > share:
        yield f"Prefill is {share_text(measured.prefill_share)}: shorten or cache the prompt first."
