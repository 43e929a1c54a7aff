"""An experiment of any arms: which is faster, what that costs, and how every server start went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from punie.trace.analysis.experiment.arms import Arm
from punie.trace.analysis.experiment.drafting import Drafting
from punie.trace.analysis.experiment.gates import GateKind
from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.analysis.experiment.results import ArmResult, Experiment
from punie.trace.analysis.verdicts.assessment import Question
from punie.trace.report import figures
from punie.trace.report.builders.cells import (
    integrity_lines,
    noise_lines,
    right_figure,
    size_text,
    speed_up_figure,
    starts_section,
    tokens_plot,
)
from punie.trace.report.builders.provenance import experiment_provenance
from punie.trace.report.builders.run import answer
from punie.trace.report.charts import Mark, Plot, Range, Ranges
from punie.trace.report.content import ExperimentContent
from punie.trace.report.document import Answer, Cell, Document, Figure, Note, Section, Table, Unit, notes
from punie.trace.report.inert import some
from punie.trace.report.published.experiment import publish_experiment
from punie.trace.report.wording.experiment import (
    EXPECTED,
    difference,
    draft_notes,
    ended_text,
    gate_text,
    headline,
    level_text,
    question,
    server_text,
    verdict_basis,
)
from punie.trace.units import factor_text

_ARMS: Final = ("arm", "against the baseline", "answers")
_SPEED: Final = ("arm", "speed-up", "a pass", "right", "cut", "worse", "")
_COST: Final = ("arm", "tokens out", "in", "cached", "requests", "memory", "swapped")


def build_experiment(report: ExperimentContent) -> Document:
    """The whole report."""
    experiment = report.analysis
    return Document(
        title=report.source,
        data=partial(publish_experiment, report),
        headline=headline(experiment),
        lines=tuple(_lines(report)),
        sections=tuple(filter(None, _sections(experiment))),
        appendix=(experiment_provenance(experiment),),
    )


def arms_section(plan: ExperimentPlan) -> Section:
    """What is compared with what."""
    baseline = plan.arm(plan.baseline)
    rows = tuple(_arm_row(plan, baseline, arm) for arm in plan.arms)
    return Section("Arms", table=Table(_ARMS, rows))


def _lines(report: ExperimentContent) -> Iterator[str]:
    experiment, plan = report.analysis, report.analysis.plan
    yield server_text(plan.arm(plan.baseline))
    yield size_text(plan)
    yield ended_text(experiment.ended, plan)
    yield from filter(None, (level_text(experiment.ended, plan),))
    yield from report.notes
    yield from integrity_lines(experiment)


def _sections(experiment: Experiment) -> Iterator[Section]:
    yield Section("Verdicts", answers=tuple(_answer(experiment, result) for result in experiment.others))
    yield arms_section(experiment.plan)
    yield _speed(experiment)
    yield _cost(experiment)
    yield _gates(experiment)
    yield _limits(experiment)
    yield starts_section(experiment.cells, experiment.set_aside)


def _answer(experiment: Experiment, result: ArmResult) -> Answer:
    threshold = experiment.plan.threshold
    return Answer(
        result.arm.name,
        question(experiment.plan, result.arm),
        result.verdict,
        speed_up_figure(result.speed_up, result.interval),
        verdict_basis(experiment, result),
        marks=(Mark(threshold, "as fast" if threshold == 1.0 else factor_text(threshold)),),
    )


def _arm_row(plan: ExperimentPlan, baseline: Arm, arm: Arm) -> tuple[Cell, ...]:
    if arm.name == plan.baseline:
        return arm.name, "it is the baseline", ""
    if arm.name == plan.same_again:
        return arm.name, "the baseline once more: how far two starts differ", ""
    return arm.name, difference(baseline, arm), EXPECTED[arm.output]


def _speed(experiment: Experiment) -> Section:
    rows = tuple(_speed_row(experiment, result) for result in experiment.arms)
    return Section(
        f"Speed and answers against {experiment.plan.baseline}",
        table=Table(_SPEED, rows),
        notes=notes(*_noise(experiment)),
        charts=_speed_chart(experiment),
    )


def _speed_row(experiment: Experiment, result: ArmResult) -> tuple[Cell, ...]:
    is_baseline = result is experiment.baseline
    judged = figures.DASH if result.closed else result.verdict.value
    worse = next((gate for gate in result.gates if gate.kind is GateKind.ACCURACY), None)
    return (
        result.arm.name,
        speed_up_figure(result.speed_up, result.interval, times=""),
        figures.duration(result.summary.wall_ns),
        right_figure(result.summary.accuracy),
        figures.count(result.summary.truncated),
        figures.count(None if worse is None or not worse.of else len(worse.queries)),
        "" if is_baseline else judged,
    )


def _noise(experiment: Experiment) -> Iterator[str]:
    yield from noise_lines(experiment.same_again)
    if experiment.same_again is None:
        yield "noise: not known, the baseline wasn't run a second time"
    yield "a pass: all queries asked once, answers that count alone"


def _speed_chart(experiment: Experiment) -> tuple[Ranges, ...]:
    rows = [
        Range(r.arm.name, speed_up_figure(r.speed_up, r.interval)) for r in experiment.others if r.speed_up
    ]
    if experiment.same_again is not None:
        rows.append(Range("the baseline again", speed_up_figure(experiment.same_again)))
    marks = [Mark(1.0, "as fast")]
    if experiment.plan.threshold != 1.0:
        marks.append(Mark(experiment.plan.threshold, factor_text(experiment.plan.threshold)))
    return (Ranges("Speed-up end to end", tuple(rows), tuple(marks)),) if rows else ()


def _cost(experiment: Experiment) -> Section:
    drafts = any(result.summary.drafting for result in experiment.arms)
    rows = tuple(
        (*_cost_row(result), *([_drafts_taken(result.summary.drafting)] * drafts))
        for result in experiment.arms
    )
    return Section(
        "Tokens a query, memory",
        table=Table((*_COST, *(["drafts taken"] * drafts)), rows),
        notes=notes(*draft_notes(experiment)),
        charts=_tokens_chart(experiment),
    )


def _drafts_taken(drafting: Drafting | None) -> Figure:
    if drafting is None:
        return figures.count(None)
    shown = f"{drafting.accepted} of {drafting.drafted}"
    return Figure(drafting.share if drafting.drafted else None, Unit.SHARE, shown)


def _cost_row(result: ArmResult) -> tuple[Cell, ...]:
    use = result.tokens
    return (
        result.arm.name,
        *(figures.count(value, decimals=1) for value in (use.output, use.prompt, use.cached, use.requests)),
        figures.size(result.resources.peak_bytes),
        figures.size(result.resources.swapped_out_bytes),
    )


def _tokens_chart(experiment: Experiment) -> tuple[Plot, ...]:
    """Each arm as a point: what it writes, and the lower bound of its accuracy."""
    return tokens_plot(
        (result.arm.name, result.tokens.output, interval.low)
        for result in experiment.arms
        if (interval := result.summary.accuracy.interval) is not None
    )


def _gates(experiment: Experiment) -> Section:
    return Section("What each arm costs", notes=tuple(_gate_notes(experiment)))


def _gate_notes(experiment: Experiment) -> Iterator[Note]:
    for result in experiment.others:
        cases = [gate_text(gate) for gate in result.gates]
        better = next((gate.better for gate in result.gates if gate.kind is GateKind.ACCURACY), ())
        if better:
            cases.append(f"got better: {some(better)}")
        yield Note(result.arm.name, tuple(cases))


def _limits(experiment: Experiment) -> Section:
    results = [experiment.baseline] + ([experiment.best] if experiment.best else [])
    answers = [
        answer(assessment, f"{assessment.question}, {result.arm.name}", steps=False)
        for result in results
        for assessment in (result.summary.target, result.summary.memory)
        if assessment.question is not Question.MEMORY or result.resources.peak_bytes is not None
    ]
    return Section("Limits", answers=tuple(replace(a, slug=f"{a.slug}-{i}") for i, a in enumerate(answers)))
