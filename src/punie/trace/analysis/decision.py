"""The decision as a whole: where the time goes, whether a draft helps, whether the target is met, whether to train.

The order is that of the costs: a lossless draft is a flag, training a model to say less is days of work that may cost
accuracy. So training is looked at last, only if the target is still missed, and only if generation is what takes the
time; what it can save at best is decode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from punie.trace.analysis.speculative.benchmark import BenchAnalysis
from punie.trace.analysis.speculative.model import THRESHOLD
from punie.trace.analysis.summary.summary import RunAnalysis
from punie.trace.analysis.verdicts.assessment import Assessment
from punie.trace.model import Phase, Verdict
from punie.trace.units import count_text, duration_text, factor_text, share_text

MEASURE: Final = "Measure it: punie-trace bench speculative --model M --draft D --k 2,3,5"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the decision: its verdict, the figure as text, what it rests on, what follows.

    Names, in order: `time`, `draft`, `target`, `brevity`. `measured` is False where nobody has measured it.
    """

    name: str
    question: str
    verdict: Verdict
    figure: str
    basis: str
    next_step: str
    measured: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """All steps in order, and what to do now: the first thing that is open or that pays."""

    steps: tuple[Step, ...]
    conclusion: str

    def step(self, name: str) -> Step:
        """The step called `name`. Raises KeyError."""
        return {step.name: step for step in self.steps}[name]


def decide(run: RunAnalysis, bench: BenchAnalysis | None = None) -> Decision:
    """The decision from a run, and a benchmark if there is one (of the same model and suite: the caller's word)."""
    time = _time(run)
    draft = _draft(bench)
    target = _target(run, bench)
    brevity = _brevity(run, time, draft, target)
    return Decision((time, draft, target, brevity), _conclusion(draft, target, brevity))


def _time(run: RunAnalysis) -> Step:
    found = run.verdicts["generation"]
    question = "Is generation more than 70 % of the time?"
    if run.totals is None:
        return Step(
            "time", question, found.verdict, "not known", found.basis, found.next_step, measured=False
        )
    shares = ", ".join(
        f"{total.group} {share_text(total.share)}" if total.known else f"{total.group} not known"
        for total in run.totals.groups
    )
    figure = "not known" if found.estimate is None else f"generation {share_text(found.estimate)}"
    after = (
        "" if found.verdict is Verdict.YES else found.next_step
    )  # what follows from a yes is step 4's to say
    return Step("time", question, found.verdict, figure, f"{found.basis} All of it: {shares}.", after)


def _draft(bench: BenchAnalysis | None) -> Step:
    question = f"Does a lossless draft make it {THRESHOLD - 1:.0%} faster?".replace("%", " %")
    if bench is None:
        return Step(
            "draft",
            question,
            Verdict.UNDECIDED,
            "not measured",
            "No benchmark was given.",
            f"{MEASURE}.",
            measured=False,
        )
    best = bench.best
    if best is None or best.interval is None:
        reason = bench.reason or "one block has no interval"
        return Step("draft", question, bench.verdict, "not known", f"{reason}.".capitalize(), f"{MEASURE}.")
    gate = bench.gate.of(best.speed_up.arm)
    lossless = gate.verdict if gate else Verdict.UNDECIDED
    verdict = bench.verdict
    if verdict is Verdict.YES and lossless is not Verdict.YES:
        verdict = Verdict.UNDECIDED
    said = {
        Verdict.YES: "its outputs are the baseline's",
        Verdict.NO: "its outputs are corrupt",
        Verdict.UNDECIDED: f"whether its outputs are the baseline's is open ({gate.gap if gate else 'not compared'})",
    }
    return Step(
        "draft",
        question,
        verdict,
        factor_text(best.speed_up.estimate),
        f"{best.speed_up.arm} against {best.speed_up.baseline}, 95 % interval {factor_text(best.interval.low)} to "
        f"{factor_text(best.interval.high)} over {count_text(best.interval.blocks, 'block')}; {said[lossless]}"
        f"{'; ' + bench.reason if bench.reason else ''}.",
        _after_draft(bench, verdict),
    )


def _after_draft(bench: BenchAnalysis, verdict: Verdict) -> str:
    result = bench.best_draft
    if verdict is Verdict.YES and result is not None and result.arm.draft is not None:
        return f"Use it: --draft {bench.plan.drafts[result.arm.draft]} --num-draft-tokens {result.arm.k} --cache off."
    if verdict is Verdict.NO:
        return "Leave drafts away."
    return "Measure more: the benchmark's own report says how much."


def _target(run: RunAnalysis, bench: BenchAnalysis | None) -> Step:
    question = "Is the target met?"
    now = run.verdicts["target"]
    best = bench.best_draft if bench is not None and bench.verdict is Verdict.YES else None
    if bench is None or best is None or now.verdict is Verdict.YES:
        return _of_target(question, now, now.basis)
    with_draft = bench.summary(best.arm.name).target
    today = f"Without a draft: {now.verdict.value}, {_slowest(now)}."
    return _of_target(question, with_draft, f"With {best.arm.name}: {with_draft.basis} {today}")


def _of_target(question: str, found: Assessment, basis: str) -> Step:
    return Step("target", question, found.verdict, _slowest(found), basis, found.next_step)


def _slowest(found: Assessment) -> str:
    return "not known" if found.estimate is None else f"slowest median {duration_text(found.estimate)}"


def _brevity(run: RunAnalysis, time: Step, draft: Step, target: Step) -> Step:
    question = "Train the model to say less?"
    ceiling = _ceiling(run)

    def step(verdict: Verdict, basis: str, next_step: str) -> Step:
        return Step("brevity", question, verdict, ceiling.figure, basis, next_step, measured=ceiling.known)

    if target.verdict is Verdict.YES:
        return step(
            Verdict.NO, f"The target is met. {ceiling.text}", "Nothing to do; keep the target as a gate."
        )
    if draft.verdict is Verdict.UNDECIDED:
        return step(
            Verdict.UNDECIDED,
            f"Whether a draft does it is open, and that costs less. {ceiling.text}",
            "Decide step 2 first.",
        )
    if target.verdict is Verdict.UNDECIDED:
        return step(Verdict.UNDECIDED, f"Whether the target is met is open. {ceiling.text}", target.next_step)
    if time.verdict is Verdict.YES and not ceiling.prefill_is_larger:
        return step(
            Verdict.YES,
            f"Generation is above 70 %, and the target isn't met. {ceiling.text}",
            "Train on the model's own shortest right answers, and hold accuracy against the same suite.",
        )
    if time.verdict is Verdict.UNDECIDED:
        return step(
            Verdict.UNDECIDED, f"Whether generation takes the time is open. {ceiling.text}", time.next_step
        )
    return step(
        Verdict.NO, f"Something else takes the time. {ceiling.text}", run.verdicts["generation"].next_step
    )


@dataclass(frozen=True, slots=True)
class _Ceiling:
    """What saying less could bring at best: no decode at all, which nobody reaches."""

    known: bool
    figure: str
    text: str
    prefill_is_larger: bool


def _ceiling(run: RunAnalysis) -> _Ceiling:
    if run.totals is None or run.decode is None:
        return _Ceiling(
            known=False,
            figure="not known",
            text="How much of it is decode isn't known.",
            prefill_is_larger=False,
        )
    share = run.decode.at_most.estimate
    prefill = next(total.share for total in run.totals.phases if total.phase is Phase.PREFILL)
    known = run.decode.share is not None
    half = f"half the output tokens would save {'' if known else 'at most '}about {share_text(share / 2)} of the time"
    most = "" if share >= 1 else f", none at all would be {factor_text(1 / (1 - share))}"
    text = f"Decode is {'' if known else 'at most '}{share_text(share)}: {half}{most}."
    if prefill > share:
        text += f" Prefill is {share_text(prefill)}: shorten or cache the prompt first."
    return _Ceiling(known, f"decode {'' if known else '≤ '}{share_text(share)}", text, prefill > share)


def _conclusion(draft: Step, target: Step, brevity: Step) -> str:
    if target.verdict is Verdict.YES and draft.verdict is not Verdict.YES:
        return "The target is met: nothing has to change."
    if draft.verdict is Verdict.YES:
        after = {
            Verdict.YES: "the target is met with it",
            Verdict.NO: "the target is still missed",
            Verdict.UNDECIDED: "whether the target is met with it is open",
        }[target.verdict]
        more = f" Then: {brevity.next_step}" if target.verdict is Verdict.NO else ""
        return f"{draft.next_step} By that {after}.{more}"
    if draft.verdict is Verdict.UNDECIDED:
        return draft.next_step
    return brevity.next_step
