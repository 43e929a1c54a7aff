"""A benchmark of draft models: does one make it faster, how is that known, and what did every arm do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from punie.trace.analysis.experiment.arms import PromptCache
from punie.trace.analysis.experiment.drafting import Drafting
from punie.trace.analysis.experiment.speedup import SpeedUp
from punie.trace.analysis.experiment.summary import ArmSummary
from punie.trace.analysis.speculative.benchmark import BenchAnalysis, DraftResult
from punie.trace.analysis.speculative.model import THRESHOLD, BenchPlan, DecodingMode
from punie.trace.report import figures
from punie.trace.report.builders.cells import (
    acceptance_plot,
    cells_plot,
    integrity_lines,
    noise_lines,
    right_figure,
    size_text,
    speed_up_figure,
)
from punie.trace.report.builders.preflight import preflight_section
from punie.trace.report.builders.provenance import bench_provenance
from punie.trace.report.builders.run import answer
from punie.trace.report.builders.speculative_why import outputs_section, why_section
from punie.trace.report.charts import Mark, Range, Ranges
from punie.trace.report.content import BenchContent
from punie.trace.report.document import Answer, Cell, Document, Figure, Section, Table, notes
from punie.trace.report.published.speculative import publish_speculative
from punie.trace.report.wording.speculative import BARS, verdict_basis
from punie.trace.report.wording.verdicts import basis
from punie.trace.units import count_text, factor_text

QUESTION: Final = f"{round(100 * (THRESHOLD - 1))} % faster?"
_ROADMAP: Final = ("date", "question", "verdict", "figure", "next step")
_SPEED_UPS: Final = ("arm", "end to end", "decode", "vs sequential", "")
_TIMES: Final = ("wall", "prefill", "decode", "a token")
_ARMS: Final = ("arm", "cache", *_TIMES, "right", "cut", "peak", "footprint")
_DRAFTING: Final = ("arm", "drafted", "accepted", "share", "a step", "prose", "tool calls", "by place")


def build_speculative(report: BenchContent) -> Document:
    """The whole report."""
    verdict = _answer(report)
    return Document(
        title=report.source,
        data=partial(publish_speculative, report),
        headline=f"{verdict.question} {verdict.verdict.value}: {verdict.figure}",
        lines=tuple(_headline(report)),
        sections=tuple(filter(None, _sections(report))),
        appendix=(bench_provenance(report.analysis.plan, report.analysis),),
    )


def with_roadmap(document: Document, report: BenchContent) -> Document:
    """The document with a row for a roadmap at its end: when, what was asked, the verdict, what comes next."""
    plan, verdict = report.analysis.plan, _answer(report)
    names = ", ".join(map(_name, plan.drafts))
    question = f"does {names} make {_name(plan.model)} {QUESTION}"
    date, steps = plan.created.partition("T")[0], " ".join(report.steps[:1])
    row = (date, question, verdict.verdict.value, str(verdict.figure), steps)
    return replace(
        document, sections=(*document.sections, Section("For the roadmap", table=Table(_ROADMAP, (row,))))
    )


def _sections(report: BenchContent) -> Iterator[Section]:
    analysis = report.analysis
    yield Section("Verdict", answers=(_answer(report),))
    yield _speed_ups(analysis)
    yield replace(_arms(analysis), charts=cells_plot(report.observations))
    yield _drafting(analysis)
    yield outputs_section(analysis)
    yield why_section(analysis)
    if analysis.preflight is not None:
        yield preflight_section(analysis.preflight, analysis.drafts)
    yield _limits(analysis)


def _answer(report: BenchContent) -> Answer:
    analysis, best = report.analysis, report.analysis.best
    figure = figures.factor(None, absent=figures.NOT_KNOWN)
    if best is not None:
        figure = speed_up_figure(best.speed_up, best.interval)
        figure = replace(figure, shown=f"{figure}, {best.speed_up.arm}")
    blocks = count_text(best.speed_up.blocks, "block") if best else ""
    marks = (Mark(THRESHOLD, factor_text(THRESHOLD)),)
    return Answer(
        "faster", QUESTION, analysis.verdict, figure, verdict_basis(analysis), report.steps, marks, blocks
    )


def _name(model: str) -> str:
    """A model without its folders."""
    return model.rstrip("/").rpartition("/")[2]


def _headline(report: BenchContent) -> Iterator[str]:
    plan = report.analysis.plan
    drafts = " · ".join(f"draft{index} {_name(name)}" for index, name in enumerate(plan.drafts))
    yield " · ".join(part for part in (f"model {_name(plan.model)}", drafts) if part)
    yield f"{size_text(plan)} · temperature {plan.temperature:g}"
    yield from report.notes
    if report.analysis.missing:
        yield f"not finished: no trace of {report.analysis.missing} of {report.analysis.planned} planned executions"
    yield from integrity_lines(report.analysis)


def _speed_ups(analysis: BenchAnalysis) -> Section:
    baseline = analysis.baseline
    rows = [_speed_row(result) for result in analysis.drafts]
    for name, speed_up in (("sequential", analysis.sequential), ("the same again", analysis.same_again)):
        if speed_up is not None:
            rows.append((name, _bare(speed_up), _bare(None), _bare(None), ""))
    return Section(
        f"Speed-up against {baseline.name} (prompt cache: {baseline.prompt_cache})",
        table=Table(_SPEED_UPS, tuple(rows)),
        notes=notes(*_speed_lines(analysis)),
        charts=_speed_chart(analysis),
    )


def _speed_chart(analysis: BenchAnalysis) -> tuple[Ranges, ...]:
    """Every arm's speed-up on one axis, the noise between two starts of the baseline among them."""
    drawn = [(result.arm.name, result.end_to_end) for result in analysis.drafts]
    drawn += [("sequential", analysis.sequential), ("the same again", analysis.same_again)]
    rows = tuple(Range(name, speed_up_figure(up)) for name, up in drawn if up is not None)
    marks = (Mark(1.0, "as fast"), Mark(THRESHOLD, factor_text(THRESHOLD)))
    return (Ranges("Speed-up end to end", rows, marks),) if rows else ()


def _speed_row(result: DraftResult) -> tuple[Cell, ...]:
    judged = figures.DASH if result.barred else result.verdict.value
    return (
        result.arm.name,
        *map(_bare, (result.end_to_end, result.decode, result.against_sequential)),
        judged,
    )


def _bare(speed_up: SpeedUp | None) -> Figure:
    """A speed-up as a cell of a table whose title says what the numbers are."""
    return speed_up_figure(speed_up, times="")


def _speed_lines(analysis: BenchAnalysis) -> Iterator[str]:
    for result in analysis.drafts:
        if result.barred:
            yield f"{result.arm.name} is not counted: {BARS[result.barred]}"
    yield from noise_lines(analysis.same_again)
    if analysis.ceiling is not None:
        yield f"if decode took no time at all: {factor_text(analysis.ceiling)}"


def _arms(analysis: BenchAnalysis) -> Section:
    return Section(
        "Arms, a pass through the queries",
        table=Table(_ARMS, tuple(_arm_row(analysis.plan, summary) for summary in analysis.arms)),
        notes=notes(*_right(analysis)),
    )


def _right(analysis: BenchAnalysis) -> Iterator[str]:
    """What the number of right answers allows to claim; arms of which the same can be said together."""
    names: dict[str, list[str]] = {}
    for summary in analysis.arms:
        names.setdefault(basis(summary.accuracy), []).append(summary.arm)
    for text, arms in names.items():
        yield f"{'all arms' if len(arms) == len(analysis.arms) else ', '.join(arms)}: {text}"


def _arm_row(plan: BenchPlan, summary: ArmSummary) -> tuple[Cell, ...]:
    times = (summary.wall_ns, summary.prefill_ns, summary.decode_ns, summary.token_ns)
    return (
        summary.arm,
        "off" if plan.arm(summary.arm).prompt_cache is PromptCache.OFF else "on",
        *map(figures.duration, times),
        right_figure(summary.accuracy),
        figures.count(summary.truncated),
        *map(figures.size, (summary.peak_bytes, summary.footprint_bytes)),
    )


def _drafting(analysis: BenchAnalysis) -> Section:
    rows = tuple(
        _drafting_row(summary.arm, summary.drafting)
        for summary in analysis.arms
        if analysis.plan.arm(summary.arm).kind is DecodingMode.DRAFT and summary.drafting is not None
    )
    drafting = {one.arm: one.drafting for one in analysis.arms if one.drafting is not None}
    return Section("Drafting", table=Table(_DRAFTING, rows), charts=acceptance_plot(drafting))


def _drafting_row(name: str, drafting: Drafting) -> tuple[Cell, ...]:
    calls, taken, steps = drafting.tool_call_drafted, drafting.tool_call_accepted, drafting.steps
    prose = in_calls = figures.share(None)
    if calls is not None and taken is not None:
        prose = _share(drafting.accepted - taken, drafting.drafted - calls)
        in_calls = _share(taken, calls)
    by_place = " ".join(f"{100 * count / steps:.0f}" for count in drafting.accepted_by_position if steps)
    return (
        name,
        figures.count(drafting.drafted),
        figures.count(drafting.accepted),
        _share(drafting.accepted, drafting.drafted),
        figures.count(1 + drafting.accepted / steps if steps else None, decimals=2),
        prose,
        in_calls,
        by_place or figures.DASH,
    )


def _share(part: int, whole: int) -> Figure:
    return figures.share(part / whole if whole else None)


def _limits(analysis: BenchAnalysis) -> Section:
    names = [analysis.baseline.name]
    if analysis.best is not None:
        names.append(analysis.best.speed_up.arm)
    answers = [
        answer(assessment, f"{assessment.question}, {name}", steps=name != analysis.baseline.name)
        for name in names
        for assessment in (analysis.summary(name).target, analysis.summary(name).memory)
    ]
    return Section("Limits", answers=tuple(answers))
