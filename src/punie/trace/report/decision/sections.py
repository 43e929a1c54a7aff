"""The sections of a decision's report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from punie.trace.report.sections import Answer, Document, Section, as_markdown, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from punie.trace.analysis.decision import Decision, Step


@dataclass(frozen=True, slots=True)
class DecisionReport:
    """A decision and what it was made from: the run, the benchmark or nothing, and notes beside every number."""

    run: str
    bench: str | None
    decision: Decision
    notes: tuple[str, ...] = ()


def render_text(report: DecisionReport, *, color: bool = False) -> str:
    """The decision for a terminal of 80 columns."""
    return as_text(_document(report), color=color)


def render_markdown(report: DecisionReport) -> str:
    """The decision as Markdown."""
    return as_markdown(_document(report))


def _document(report: DecisionReport) -> Document:
    bench = report.bench or "none"
    lines = (f"run {report.run}", f"benchmark {bench}", *report.notes)
    return Document("What to do about the time", lines, tuple(_sections(report.decision)))


def _sections(decision: Decision) -> Iterator[Section]:
    for number, step in enumerate(decision.steps, start=1):
        yield Section(f"{number}. {step.question}", answers=(_answer(step),))
    yield Section("So", lines=(decision.conclusion,))


def _answer(step: Step) -> Answer:
    return Answer(
        step.name, step.verdict, step.figure, step.basis, (step.next_step,) if step.next_step else ()
    )
