"""An experiment of any arms in sentences: what a verdict rests on, what an arm costs, when it ended and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from punie.trace.analysis.experiment.arms import Arm, ExpectedOutput, ServerKind
from punie.trace.analysis.experiment.gates import Gate, GateKind
from punie.trace.analysis.experiment.measured import Measured
from punie.trace.analysis.experiment.plan import ExperimentPlan, StoppingRule
from punie.trace.analysis.experiment.results import (
    ArmResult,
    Experiment,
    ExperimentEnd,
    StopReason,
    ending_of,
)
from punie.trace.analysis.experiment.speedup import SpeedUp
from punie.trace.analysis.statistics.spread import LEVEL
from punie.trace.model import Verdict
from punie.trace.report import figures
from punie.trace.report.inert import some
from punie.trace.report.wording.verdicts import gaps_text
from punie.trace.units import bytes_text, confidence_text, count_text, factor_text, percent_text, share_text

EXPECTED: Final = {ExpectedOutput.SAME: "the baseline's", ExpectedOutput.JUDGED: "judged by the suite"}
_SERVERS: Final = {
    ServerKind.MLX: "mlx_lm.server",
    ServerKind.PROGRAM: "program",
    ServerKind.ATTACHED: "attached",
}


def question(plan: ExperimentPlan, arm: Arm) -> str:
    """What is asked of an arm."""
    if plan.threshold == 1.0:
        return f"{arm.name}: faster than {plan.baseline}?"
    return f"{arm.name}: {factor_text(plan.threshold)} as fast as {plan.baseline}?"


def verdict_basis(experiment: Experiment, result: ArmResult) -> str:
    """What the verdict on an arm's speed rests on, and what keeps it out all the same."""
    parts = [
        _evidence(experiment, result),
        *(gate_text(gate) for gate in result.gates if gate in result.closed),
    ]
    return "; ".join(filter(None, parts))


def _evidence(experiment: Experiment, result: ArmResult) -> str:
    if experiment.gaps:
        return f"no claim: {gaps_text(experiment.gaps)}"
    if experiment.missing:
        return f"not finished: {experiment.missing} of {experiment.planned} planned executions have no trace"
    if result.speed_up is None:
        return "no query was answered rightly in this arm and in the baseline"
    if result.interval is None:
        return "one block has no interval: run more with --blocks"
    return f"{count_text(result.speed_up.blocks, 'block')}, {censored_text(result.speed_up)}"


def censored_text(speed_up: SpeedUp) -> str:
    """How many pairs count, and how many don't."""
    pairs = count_text(speed_up.pairs, "pair")
    return f"{pairs} of answers" + (
        f" ({speed_up.censored} left out: failed or cut off)" if speed_up.censored else ""
    )


def gate_text(gate: Gate) -> str:
    """One gate as what it found, open or closed."""
    match gate.kind:
        case GateKind.ACCURACY:
            return _accuracy(gate)
        case GateKind.SAME_ANSWERS:
            return _same_answers(gate)
        case GateKind.MEMORY:
            return _memory(gate)
        case GateKind.SWAP:
            return _swap(gate)


def _accuracy(gate: Gate) -> str:
    if gate.verdict is Verdict.UNDECIDED:
        return "accuracy not known: no answer is scored in both arms"
    if not gate.of:
        return "accuracy: no query is right in every repeat of the baseline, so none could get worse"
    worse = f"{len(gate.queries)} of {count_text(gate.of, 'query', 'queries')} got worse"
    named = f": {some(gate.queries)}" if gate.queries else ""
    bound = (
        f" (at 95 % at most {share_text(gate.bound)} of such queries do)" if gate.bound is not None else ""
    )
    return f"accuracy: {worse}{bound}{named}"


def _same_answers(gate: Gate) -> str:
    match gate.verdict:
        case Verdict.YES:
            return "says the same as the baseline, token for token"
        case Verdict.NO:
            return f"should say the same as the baseline and doesn't: {some(gate.queries)}"
        case Verdict.UNDECIDED:
            return "not known whether it says the same: the server's tokens aren't recorded, or the baseline varies"


def _memory(gate: Gate) -> str:
    if gate.value is None or gate.limit is None:
        return "memory not known"
    return f"memory: {bytes_text(gate.value)} of {bytes_text(gate.limit)}"


def _swap(gate: Gate) -> str:
    if gate.value is None:
        return "swap not known"
    return f"swap: the machine wrote {bytes_text(gate.value)} while it ran"


def headline(experiment: Experiment) -> str:
    """What a person would repeat of it."""
    best = experiment.best
    if best is None or best.speed_up is None:
        return (
            "no arm can be recommended"
            if experiment.others
            else "nothing is compared: there is no arm but the baseline"
        )
    figure = figures.speed_up(best.speed_up.estimate, best.interval, threshold=experiment.plan.threshold)
    arm, baseline = best.arm.name, experiment.plan.baseline
    match best.verdict:
        case Verdict.YES:
            return f"{arm} is faster than {baseline}: {figure}"
        case Verdict.NO:
            return f"{arm} is the fastest, and not fast enough, against {baseline}: {figure}"
        case Verdict.UNDECIDED:
            return f"undecided whether {arm} is faster than {baseline}: {figure}"


def ended_text(ended: ExperimentEnd, plan: ExperimentPlan) -> str:
    """After how many blocks it ended and why, in words of the rule."""
    done = count_text(ended.blocks, "block")
    match ended.why:
        case StopReason.UNFINISHED:
            return f"unfinished: {done} of {plan.blocks}"
        case StopReason.NARROW:
            return (
                f"ended after {done} of {plan.blocks}: every interval is at most {_width(plan.stopping)} wide"
            )
        case StopReason.DECIDED:
            return f"ended after {done} of {plan.blocks}: every verdict is decided"
        case StopReason.ALL_BLOCKS:
            return f"all {done} run"


def _width(stopping: StoppingRule) -> str:
    return percent_text(stopping.width or 0)


def looks_notes(measured: Measured) -> tuple[str, ...]:
    """What belongs beside other figures of an experiment: when it was looked at, and what disturbed it."""
    plan, ended = measured.plan, ending_of(measured)
    early = ended.why in (StopReason.NARROW, StopReason.DECIDED)
    again = [f"{cell.name} was run again: {'; '.join(cell.disturbed)}" for cell in measured.set_aside]
    disturbed = [f"{cell.name}: {'; '.join(cell.disturbed)}" for cell in measured.cells if cell.disturbed]
    sentences = (ended_text(ended, plan) if early else "", level_text(ended, plan), *again, *disturbed)
    return tuple(filter(None, sentences))


def level_text(ended: ExperimentEnd, plan: ExperimentPlan) -> str:
    """At which level intervals are, and why not at 95 %; empty where they are."""
    if ended.look.level == LEVEL:
        return ""
    at = f"intervals are made at {confidence_text(ended.look.level)}"
    if plan.added_at:
        earlier = ", ".join(map(str, plan.added_at))
        return (
            f"{at}: blocks were added after a result was seen (after {earlier}); all looks together hold at "
            f"{confidence_text(ended.overall_level)}"
        )
    looks = count_text(len(plan.stopping.looks), "look")
    return f"{at}, so that whichever of {looks} ends it, the result holds at {confidence_text(LEVEL)}"


def difference(baseline: Arm, arm: Arm) -> str:
    """In what an arm differs from the baseline: its levers, and the settings that no lever stands for."""
    if arm.levers:
        return ", ".join(arm.levers)
    return ", ".join(_settings(baseline, arm)) or "nothing"


def _settings(baseline: Arm, arm: Arm) -> Iterator[str]:
    for part in ("server", "request", "agent"):
        before, after = getattr(baseline, part), getattr(arm, part)
        for item in fields(after):
            if (value := getattr(after, item.name)) != getattr(before, item.name):
                yield f"{part}.{item.name}={value}"


def server_text(arm: Arm) -> str:
    """The server of an arm in a few words."""
    server = arm.server
    where = server.program or server.base_url or (server.model or "").rstrip("/").rpartition("/")[2]
    return f"{_SERVERS[server.kind]}: {where}"


def draft_notes(experiment: Experiment) -> Iterator[str]:
    """What acceptance is worth that another server reports."""
    reported = [r for r in experiment.arms if r.summary.drafting and r.arm.server.kind is not ServerKind.MLX]
    if not reported:
        return
    yield "drafts taken: of the tokens that were proposed, those that the model took, as the server's answers report"
    repeats = experiment.plan.repeats
    seen_before = repeats > 1 or any(r.arm.server.kind is ServerKind.ATTACHED for r in reported)
    again = ", so that these are taken more often than on new questions" if seen_before else ""
    yield (
        "n-gram drafts copy what the server has seen: a prompt that it saw before drafts from its own earlier answer"
        f"{again}"
    )
