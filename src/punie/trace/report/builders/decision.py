"""A decision: a section a step, and what to do now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from punie.trace.analysis.decision.decision import Decision
from punie.trace.report.builders.provenance import decision_provenance
from punie.trace.report.content import DecisionContent
from punie.trace.report.document import Answer, Document, Figure, Section, Unit, notes
from punie.trace.report.published.decision import publish_decision
from punie.trace.report.wording.decision import DecisionStep, conclusion, steps


def build_decision(report: DecisionContent) -> Document:
    """The whole decision."""
    next_steps = steps(report.decision)
    return Document(
        title="What to do about the time",
        data=partial(publish_decision, report),
        headline=conclusion(report.decision),
        lines=(f"run {report.run}", _measured(report.benches), *report.notes),
        sections=(
            *(
                Section(f"{number}. {step.question}", answers=(_answer(step, report.decision),))
                for number, step in enumerate(next_steps, start=1)
            ),
            Section("What to do now", notes=notes(conclusion(report.decision))),
        ),
        appendix=_provenance(report),
    )


def _measured(folders: Sequence[str]) -> str:
    return (
        f"measured in {', '.join(folders)}" if folders else "no folder of bench, improve or train was given"
    )


def _provenance(report: DecisionContent) -> tuple[Section, ...]:
    bench = report.bench_report.analysis if report.bench_report else None
    return decision_provenance(report.run_report, bench) if report.run_report else ()


def _answer(step: DecisionStep, decision: Decision) -> Answer:
    after = (step.next_step,) if step.next_step else ()
    value, unit = _VALUES[step.name](decision)
    return Answer(step.name, step.name, step.verdict, Figure(value, unit, step.figure), step.basis, after)


def _speed_up(decision: Decision) -> float | None:
    best = decision.bench.best if decision.bench else None
    return best.speed_up.estimate if best else None


def _brevity(decision: Decision) -> float | None:
    if decision.trained is not None:
        judged = decision.trained.judgement.chosen if decision.trained.judgement else None
        return judged.times.saved if judged and judged.times else None
    decode = decision.run.decode
    return decode.share.estimate if decode and decode.share else None


_VALUES: Final[Mapping[str, Callable[[Decision], tuple[float | None, Unit]]]] = {
    "time": lambda decision: (decision.time.estimate, Unit.SHARE),
    "levers": lambda decision: (decision.tried.best.speed_up if decision.tried.best else None, Unit.RATIO),
    "draft": lambda decision: (_speed_up(decision), Unit.RATIO),
    "target": lambda decision: (decision.target.counts.estimate, Unit.NANOSECONDS),
    "brevity": lambda decision: (_brevity(decision), Unit.SHARE),
}
