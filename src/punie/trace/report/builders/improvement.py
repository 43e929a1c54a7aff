"""An improvement: does it hold, what was tried, what to put where, and a page for the diary."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from punie.trace.analysis.improvement.model import BASELINE, ImprovementEnding, Stage, speed_up_of
from punie.trace.analysis.improvement.track_record import track_records
from punie.trace.report import figures
from punie.trace.report.builders.causes import causes_section
from punie.trace.report.builders.cells import starts_section
from punie.trace.report.builders.improvement_savings import savings_section
from punie.trace.report.builders.provenance import improvement_provenance
from punie.trace.report.builders.run import answer
from punie.trace.report.charts import Mark, Range, Ranges
from punie.trace.report.document import Answer, Document, Figure, Note, Section, Table, Unit, notes
from punie.trace.report.inert import one_line
from punie.trace.report.published.improvement import publish_improvement
from punie.trace.report.wording.improvement import (
    VERDICTS,
    accuracy_text,
    basis,
    gate_text,
    headline,
    left_out_text,
    levers_text,
    next_steps,
    outcome_text,
    prediction_text,
    screening_note,
    speed_up_text,
    stage_arm,
    track_text,
    winner_arm,
)
from punie.trace.report.wording.settings import settings_notes
from punie.trace.units import count_text, duration_text, factor_digits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from punie.trace.analysis.experiment.results import ArmResult
    from punie.trace.analysis.improvement.model import LeverCandidate
    from punie.trace.analysis.improvement.screening import ScreenedLever
    from punie.trace.report.content import ImprovementContent
    from punie.trace.report.document import Cell

QUESTION: Final = "Faster, in fresh blocks?"
_AS_FAST: Final = (Mark(1.0, "as fast"),)
_LEVERS: Final = ("lever", "predicted", "measured", "typical", "right", "outcome")
_ROADMAP: Final = ("phase", "goal", "before", "after", "verdict", "link")
_STAGES: Final = ("arm", "speed-up", "95 % interval", "a pass", "output", "right")
_MEASURED: Final = {
    Stage.COMBINATION: "together",
    Stage.CONFIRMATION: "confirmed",
    Stage.RUNNER_UP: "runner-up",
}


def build_improvement(report: ImprovementContent) -> Document:
    """The whole report."""
    return Document(
        title=report.source,
        data=partial(publish_improvement, report),
        headline=headline(report),
        lines=tuple(_lines(report)),
        sections=tuple(filter(None, _sections(report))),
        appendix=tuple(filter(None, _appendix(report))),
    )


def _appendix(report: ImprovementContent) -> Iterator[Section]:
    experiments = report.experiments.values()
    cells = [cell for one in experiments for cell in one.cells]
    yield starts_section(cells, [cell for one in experiments for cell in one.set_aside])
    yield improvement_provenance(report.settings, experiments, report.baseline)


def with_diary(document: Document, report: ImprovementContent) -> Document:
    """The document with an entry for a diary and a row for a roadmap at its end."""
    return replace(document, sections=(*document.sections, _diary(report), _roadmap(report)))


def _sections(report: ImprovementContent) -> Iterator[Section]:
    yield Section("Verdicts", answers=tuple(_answers(report)))
    yield _levers(report)
    yield _combination(report)
    yield _answers_section(report)
    yield savings_section(report)
    yield causes_section(report.baseline.causes)
    yield _settings(report)


def _lines(report: ImprovementContent) -> Iterator[str]:
    settings = report.settings
    yield (
        f"suite {settings.suite_name}: {count_text(len(settings.queries), 'query', 'queries')} · "
        f"seed {settings.seed} · {settings.created}"
    )
    if settings.replay:
        yield f"tools didn't run: they answered as recorded in {settings.replay}"
    yield from report.notes


def _answers(report: ImprovementContent) -> Iterator[Answer]:
    confirmation = report.state.confirmation
    interval = confirmation.interval if confirmation else None
    figure = Figure(
        confirmation.speed_up if confirmation else None,
        Unit.RATIO,
        speed_up_text(report),
        interval.low if interval else None,
        interval.high if interval else None,
    )
    yield Answer(
        "faster", QUESTION, VERDICTS[report.ending], figure, basis(report), next_steps(report), _AS_FAST
    )
    arm = winner_arm(report)
    judged = arm or stage_arm(report, Stage.BASELINE, BASELINE)
    if judged is not None:
        what = "with it" if arm else "as it is"
        yield answer(judged.summary.target, f"Is the target met {what}?", steps=False)
        yield answer(judged.summary.accuracy, f"Is every answer right {what}?", steps=False)


def _levers(report: ImprovementContent) -> Section:
    rows = tuple(_lever_row(report, lever) for lever in report.state.screened)
    return Section(
        "Levers, each by itself",
        table=Table(_LEVERS, rows) if rows else None,
        notes=tuple(_lever_notes(report)),
        charts=_levers_chart(report),
    )


def _levers_chart(report: ImprovementContent) -> tuple[Ranges, ...]:
    """Every lever that was measured, beside it what was predicted."""
    rows = tuple(
        Range(
            lever.candidate.name,
            figures.speed_up(lever.speed_up, lever.interval),
            _predicted(lever.candidate),
        )
        for lever in report.state.screened
        if lever.speed_up is not None
    )
    names = ("measured", "predicted") if any(row.beside for row in rows) else ("measured",)
    return (Ranges("Speed-up of each lever by itself", rows, _AS_FAST, names),) if rows else ()


def _predicted(candidate: LeverCandidate) -> Figure | None:
    prediction = candidate.prediction
    if prediction is None:
        return None
    ends = [None if share is None else speed_up_of(share) for share in (prediction.low, prediction.high)]
    return Figure(prediction.speed_up, Unit.RATIO, f"{prediction.speed_up:.2f}×", *ends)


def _lever_row(report: ImprovementContent, lever: ScreenedLever) -> tuple[Cell, ...]:
    predicted = lever.candidate.prediction
    arm = stage_arm(report, Stage.SCREENING, (lever.candidate.name,))
    right: Cell = figures.DASH
    if arm is not None:
        accuracy = arm.summary.accuracy.figures
        right = f"{accuracy.answers_right}/{accuracy.answers}" if accuracy.answers else figures.DASH
    return (
        lever.candidate.name,
        Figure(predicted.speed_up if predicted else None, Unit.RATIO, prediction_text(predicted)),
        figures.speed_up(lever.speed_up, lever.interval),
        figures.factor(lever.typical),
        right,
        outcome_text(lever),
    )


def _lever_notes(report: ImprovementContent) -> Iterator[Note]:
    state = report.state
    if state.screened:
        yield Note(screening_note())
    for lever in state.screened:
        predicted = lever.candidate.prediction
        if predicted is not None and predicted.assuming:
            yield Note(f"* {lever.candidate.name} is predicted for: {predicted.assuming}")
        if predicted is None and lever.candidate.unpredicted:
            yield Note(f"{lever.candidate.name} is not predicted: {lever.candidate.unpredicted}")
        yield from (Note(f"{lever.candidate.name} {gate_text(gate)}") for gate in lever.closed)
    same = report.experiments[Stage.SCREENING].same_again if Stage.SCREENING in report.experiments else None
    if same is not None:
        yield Note(
            f"noise: the baseline against itself came to {figures.speed_up(same.estimate, same.interval)}"
        )
    kinds = {lever.candidate.kind for lever in state.screened}
    records = [track_text(record) for record in track_records(report.history) if record.kind in kinds]
    if records:
        yield Note("how such predictions did on this machine", tuple(records))
    if state.ranking.left_out:
        left_out = tuple(left_out_text(*one) for one in state.ranking.left_out)
        yield Note(f"not tried: {count_text(len(left_out), 'lever')}", left_out)


def _combination(report: ImprovementContent) -> Section:
    """The arms of the combination and of the confirmation, one row each."""
    rows = [row for stage, name in _MEASURED.items() for row in _stage_rows(report, stage, name)]
    return Section("Combined and confirmed", table=Table(_STAGES, tuple(rows)) if rows else None)


def _stage_rows(report: ImprovementContent, stage: Stage, name: str) -> Iterator[tuple[Cell, ...]]:
    measured, experiment = report.state.done.get(stage), report.experiments.get(stage)
    if measured is None or experiment is None:
        return
    for result in experiment.arms:
        levers = result.arm.levers
        arm = measured.arms.get(levers)
        confirmation = report.state.confirmation if stage is report.state.stage else None
        interval = confirmation.interval if confirmation else arm.interval(0.95) if arm else None
        accuracy = result.summary.accuracy.figures
        ends = figures.DASH
        if arm and interval:
            ends = "–".join(factor_digits(end, threshold=1.0) for end in (interval.low, interval.high))
        yield (
            f"{name}: {levers_text(levers)}",
            figures.factor(arm.speed_up if arm else None),
            ends,
            figures.duration(result.summary.wall_ns),
            figures.count(result.tokens.output),
            f"{accuracy.answers_right}/{accuracy.answers}" if accuracy.answers else figures.DASH,
        )


def _answers_section(report: ImprovementContent) -> Section:
    """Levers of which the same is to be said in one line."""
    lines = []
    if arm := winner_arm(report):
        lines.append(f"{levers_text(report.state.winner)}, confirmed: {accuracy_text(arm)}")
    levers_by_text: dict[str, list[str]] = {}
    for lever in report.state.screened:
        arm = stage_arm(report, Stage.SCREENING, (lever.candidate.name,))
        if arm is not None:
            levers_by_text.setdefault(accuracy_text(arm), []).append(one_line(lever.candidate.name))
    lines += [f"{', '.join(names)}: {text}" for text, names in levers_by_text.items()]
    return Section("Answers that got better or worse", notes=notes(*lines))


def _settings(report: ImprovementContent) -> Section:
    arm = winner_arm(report)
    if report.ending is not ImprovementEnding.IMPROVED or arm is None:
        return Section("")
    baseline = report.experiments[report.state.stage].baseline.arm
    return Section("What to put where", notes=tuple(settings_notes(baseline, arm.arm)))


def _diary(report: ImprovementContent) -> Section:
    settings = report.settings
    tried = ", ".join(lever.candidate.name for lever in report.state.screened) or "nothing"
    return Section(
        f"Diary entry, {settings.created.partition('T')[0]}",
        notes=notes(
            f"Question: what makes {settings.suite_name} faster at the same accuracy{_goal(report)}?",
            f"Tried: {tried}.",
            f"Decision: {headline(report)}.",
            f"Next: {' '.join(next_steps(report)) or 'nothing.'}",
        ),
    )


def _goal(report: ImprovementContent) -> str:
    target = report.settings.target_ns
    return f" (target {duration_text(target)})" if target else ""


def _roadmap(report: ImprovementContent) -> Section:
    stage = report.state.stage if report.state.stage in report.experiments else Stage.BASELINE
    before, after = stage_arm(report, stage, BASELINE), winner_arm(report)
    target = report.settings.target_ns
    row = (
        "improve",
        f"a query under {duration_text(target)}" if target else "faster at the same accuracy",
        figures.duration(_slowest_ns(before)),
        figures.duration(_slowest_ns(after)),
        report.ending.value,
        report.source,
    )
    return Section("For the roadmap", table=Table(_ROADMAP, (row,)))


def _slowest_ns(arm: ArmResult | None) -> int | None:
    """The slowest query's median: what a target is held against."""
    return max(arm.summary.target.figures.medians.values(), default=None) if arm else None
