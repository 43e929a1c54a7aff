"""A training as a document: was it worth it, on what was it trained, how was it judged."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from punie.trace.analysis.statistics.share import ShareEstimate
from punie.trace.analysis.tuning.judgement import AccuracyComparison, JudgedArm, Judgement
from punie.trace.analysis.tuning.training import Training, TrainingEnding
from punie.trace.analysis.tuning.worth import THRESHOLD
from punie.trace.report import figures
from punie.trace.report.builders.cells import tokens_plot
from punie.trace.report.builders.provenance import training_provenance
from punie.trace.report.charts import Mark
from punie.trace.report.document import Answer, Cell, Document, Section, Table, notes
from punie.trace.report.figures import Figure, Unit
from punie.trace.report.published.training import publish_training
from punie.trace.report.wording import training as wording
from punie.trace.units import count_text, percent_text, share_text

QUESTION: Final = "worth training?"
_JUDGED: Final = (
    "arm",
    "tokens",
    "prose",
    "in calls",
    "thinking",
    "wall",
    "faster",
    "right",
    "right ≥",
    "worse",
    "worse ≤",
)
_CHECKPOINTS: Final = ("checkpoint", "right", "lost", "tokens", "")
_STEPS: Final = ("step", "what", "estimate")
_PARTS: Final = ("part", "queries", "families")


def build_training(training: Training) -> Document:
    """The whole report."""
    answer = _answer(training)
    return Document(
        title=training.source,
        data=partial(publish_training, training),
        headline=f"{answer.question} {answer.verdict.value}. {answer.basis}",
        lines=tuple(_headline(training)),
        sections=tuple(filter(None, _sections(training))),
        appendix=(training_provenance(training),),
    )


def _answer(training: Training) -> Answer:
    figure, marks = _gain(training)
    judgement = training.judgement
    return Answer(
        "worth-training",
        QUESTION,
        training.verdict,
        figure,
        wording.basis(training),
        tuple(wording.next_steps(training)),
        marks,
        count_text(len(training.split.judged), "query", "queries") if judgement and judgement.chosen else "",
    )


def _gain(training: Training) -> tuple[Figure, tuple[Mark, ...]]:
    """The speed-up that was measured; before that the share of the wall time that is predicted to be saved."""
    chosen = training.judgement.chosen if training.judgement else None
    if chosen is not None and chosen.times is not None:
        return figures.speed_up(chosen.times.estimate, chosen.times), (Mark(1.0, "as fast"),)
    saving = training.worth.saving if training.worth else None
    if saving is None:
        return figures.share(None, absent=figures.NOT_KNOWN), ()
    ends = saving.interval
    figure = Figure(
        saving.estimate,
        Unit.SHARE,
        _with_interval(saving),
        ends.low if ends else None,
        ends.high if ends else None,
    )
    return figure, (Mark(THRESHOLD, percent_text(THRESHOLD)),)


def _headline(training: Training) -> Iterator[str]:
    adapter = f" with adapter {training.adapter}" if training.adapter else ""
    yield f"model {training.model}{adapter} · suite {training.suite}"
    yield wording.margin_line(training)
    yield wording.seeds_line(training)
    if training.is_demo:
        yield "The demo model shows that everything works; it is no guide to the quality or speed of a real one."


def _sections(training: Training) -> Iterator[Section]:
    yield Section("Verdict", answers=(_answer(training),))
    if training.judgement is not None:
        yield _judgement(training, training.judgement)
    yield _worth(training)
    if training.ending is TrainingEnding.PLANNED:
        yield _plan(training)
    yield _data(training)
    yield _training(training)
    if training.fused:
        yield Section("Fusing", table=_fusing(training), notes=notes(*map(wording.fuse_line, training.fused)))


def _judgement(training: Training, judgement: Judgement) -> Section:
    rows = tuple(map(_judged_row, judgement.arms))
    lines = [wording.answer_line(judgement, question) for question in judgement.answers]
    lines += filter(None, [wording.realised_line(training)])
    lines += [_changed(arm) for arm in judgement.arms if arm.kept.worse or arm.kept.better]
    plot = tokens_plot(
        (wording.arm_name(arm.kind, arm.name), arm.tokens, arm.kept.at_least_right)
        for arm in judgement.arms
        if arm.kept.asked
    )
    return Section(
        "Judgement, on queries that weren't trained on",
        table=Table(_JUDGED, rows),
        notes=notes(*lines),
        charts=plot,
    )


def _judged_row(arm: JudgedArm) -> tuple[Cell, ...]:
    kept = arm.kept
    return (
        wording.arm_name(arm.kind, arm.name),
        figures.count(arm.tokens, decimals=1),
        figures.count(arm.kinds.prose, decimals=1),
        figures.count(arm.kinds.tool_calls, decimals=1),
        figures.NOT_KNOWN if arm.kinds.thinking is None else figures.count(arm.kinds.thinking),
        figures.duration(arm.wall_ns),
        figures.speed_up(arm.times.estimate if arm.times else None, arm.times),
        figures.part(kept.right, kept.asked),
        figures.share(kept.at_least_right),
        *_lost(arm, kept),
    )


def _lost(arm: JudgedArm, kept: AccuracyComparison) -> tuple[Cell, ...]:
    if arm.kind == "base":
        return figures.DASH, figures.DASH
    return figures.part(len(kept.worse), kept.compared), figures.share(kept.most_worse)


def _changed(arm: JudgedArm) -> str:
    parts = [
        f"{word} {', '.join(names)}"
        for word, names in (("worse:", arm.kept.worse), ("better:", arm.kept.better))
        if names
    ]
    return f"{wording.arm_name(arm.kind, arm.name)}: {'; '.join(parts)}"


def _worth(training: Training) -> Section:
    lines = []
    if training.decode is not None:
        decode = training.decode.share or training.decode.at_most
        lines.append(
            f"decode takes {_with_interval(decode)} of the wall time: training can save nothing else"
        )
    worth = training.worth
    if worth is not None and worth.saving is not None and worth.tokens_saved is not None:
        lines.append(
            f"the model's own shortest right answers have {share_text(worth.tokens_saved)} fewer tokens, which would "
            f"save {_with_interval(worth.saving)} of the wall time"
        )
    return Section("What could be won", notes=notes(*lines))


def _with_interval(share: ShareEstimate) -> str:
    if share.interval is None:
        return share_text(share.estimate)
    ends = f"{share_text(share.interval.low)} to {share_text(share.interval.high)}"
    return f"{share_text(share.estimate)} ({ends})"


def _plan(training: Training) -> Section:
    rows: list[tuple[Cell, ...]] = [
        (step.name, step.what, figures.duration(step.estimate_ns, absent=figures.NOT_KNOWN))
        for step in training.steps
    ]
    known = [step.estimate_ns for step in training.steps if step.estimate_ns is not None]
    rows.append(("all", "", figures.duration(sum(known) if len(known) == len(training.steps) else None)))
    return Section("Steps", table=Table(_STEPS, tuple(rows), strong=frozenset({len(rows) - 1})))


def _data(training: Training) -> Section:
    split = training.split
    parts = (
        ("trained on", split.train),
        ("validation", split.validation),
        ("held out", split.held_out),
        ("control", split.control),
    )
    rows = tuple((name, figures.count(len(ids)), _families(training, ids)) for name, ids in parts)
    lines = [
        f"each query of the first part is asked {training.samples} times at temperature {training.temperature:g}; of "
        "the answers that the strict score has right the shortest is taken, word for word",
        f"it holds what was asked and answered: {training.source} is its owner's alone, and nothing of it is sent",
    ]
    if training.examples:
        missing = len(split.train) - len(training.examples)
        lines.append(
            f"{count_text(len(training.examples), 'query', 'queries')} gave an example, {missing} had no right answer"
        )
    if split.untrained_tools:
        lines.append(wording.untrained_tools_line(split.untrained_tools))
    if training.ending is TrainingEnding.PLANNED:
        lines += [f"trained on: {training.texts[query_id]}" for query_id in split.train]
    return Section("Data", table=Table(_PARTS, rows), notes=notes(*lines, *wording.lint_lines(training)))


def _families(training: Training, ids: tuple[str, ...]) -> str:
    return ", ".join(dict.fromkeys(training.families.get(query_id) or query_id for query_id in ids))


def _training(training: Training) -> Section:
    settings = ", ".join(f"{name} {value}" for name, value in training.settings.items())
    lines = [f"mlx_lm lora: {settings}"]
    for one in training.losses:
        if one.losses:
            (first, begin), (last, end) = one.losses[0], one.losses[-1]
            again = f", {count_text(one.restarts, 'restart')}" if one.restarts else ""
            lines.append(f"seed {one.seed}: loss {begin:.3f} at {first}, {end:.3f} at {last}{again}")
    rows = tuple(
        (
            checkpoint.name,
            figures.part(checkpoint.right, checkpoint.asked),
            ", ".join(checkpoint.lost) or figures.DASH,
            figures.count(checkpoint.output_tokens, decimals=1),
            "kept" if checkpoint == training.best else "",
        )
        for checkpoint in training.checkpoints
    )
    return Section("Training", table=Table(_CHECKPOINTS, rows) if rows else None, notes=notes(*lines))


def _fusing(training: Training) -> Table:
    rows = tuple(
        (
            form.name,
            figures.part(form.right, form.asked),
            figures.count(form.tokens, decimals=1),
            figures.factor(form.decode),
            "passes" if form.passes else "refused",
        )
        for form in training.fused
    )
    return Table(("form", "right", "tokens", "decode against unfused", "gate"), rows)
