"""The report of an experiment of any arms as programs read it. `experiment.schema.json` is made from these types.

History of the format (`schema_version`):
1: the first.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from punie.trace.analysis.experiment.gates import Gate
from punie.trace.analysis.experiment.measured import CellFacts
from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.analysis.experiment.results import ArmResult, ExperimentEnd
from punie.trace.analysis.experiment.speedup import SpeedUp
from punie.trace.analysis.experiment.summary import ArmSummary
from punie.trace.report.content import ExperimentContent
from punie.trace.report.published.base import Published, fields_of, joined
from punie.trace.report.published.run import PublishedVerdict, judged
from punie.trace.report.published.speculative import FindingCount


class ExperimentArmSummary(joined(ArmSummary, without=("arm", "accuracy", "target", "memory"))):  # type: ignore[misc] # made at import
    """One arm by itself: times are means of a pass through the queries, over blocks, of answers that count."""

    accuracy: PublishedVerdict
    target: PublishedVerdict
    memory: PublishedVerdict


class ExperimentArm(joined(ArmResult, without=("summary",))):  # type: ignore[misc] # as above
    """One arm against the baseline; `closed` are the gates that keep it out."""

    closed: tuple[Gate, ...]
    summary: ExperimentArmSummary


class ExperimentDocument(Published, frozen=True, kw_only=True):
    """One analysed experiment; `arms` has the baseline first. `missing` executions of `planned` have no trace."""

    schema: Literal["punie.trace.bench.experiment"] = "punie.trace.bench.experiment"
    schema_version: Literal[1] = 1
    source: str
    notes: tuple[str, ...]
    ended: ExperimentEnd
    arms: tuple[ExperimentArm, ...]
    best: str | None
    same_again: SpeedUp | None
    planned: int
    missing: int
    integrity: tuple[FindingCount, ...]
    cells: tuple[CellFacts, ...]
    set_aside: tuple[CellFacts, ...]
    plan: ExperimentPlan


class PlanDocument(Published, frozen=True, kw_only=True):
    """What an experiment would do."""

    schema: Literal["punie.trace.bench.experiment-plan"] = "punie.trace.bench.experiment-plan"
    schema_version: Literal[1] = 1
    plan: ExperimentPlan


def publish_experiment(report: ExperimentContent) -> ExperimentDocument:
    """The report as its published type."""
    experiment = report.analysis
    values = {
        **fields_of(ExperimentDocument, experiment),
        "source": report.source,
        "notes": report.notes,
        "arms": [_arm(result) for result in experiment.arms],
        "best": experiment.best.arm.name if experiment.best else None,
    }
    return msgspec.convert(values, ExperimentDocument, from_attributes=True)


def publish_plan(plan: ExperimentPlan) -> PlanDocument:
    """The plan as its published type."""
    return PlanDocument(plan=plan)


def _arm(result: ArmResult) -> dict[str, Any]:
    verdicts = {name: judged(getattr(result.summary, name)) for name in ("accuracy", "target", "memory")}
    summary = {**fields_of(ExperimentArmSummary, result.summary), **verdicts}
    return {**fields_of(ExperimentArm, result), "summary": summary}
