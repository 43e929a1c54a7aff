"""The report of an improvement as programs read it. `improvement.schema.json` is made from these types.

History of the format (`schema_version`):
1: the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from punie.trace.analysis.causes.model import Cause
from punie.trace.analysis.experiment.gates import Gate
from punie.trace.analysis.improvement.confirmation import Confirmation
from punie.trace.analysis.improvement.model import ImprovementEnding, LeverPrediction, Stage
from punie.trace.analysis.improvement.ranking import LeverExclusion
from punie.trace.analysis.improvement.screening import ScreeningResult
from punie.trace.analysis.improvement.track_record import TrackRecord, track_records
from punie.trace.analysis.statistics.spread import Interval
from punie.trace.model import Verdict
from punie.trace.report.content import ImprovementContent
from punie.trace.report.published.base import Published
from punie.trace.report.wording.improvement import VERDICTS, headline, next_steps


class TriedLever(msgspec.Struct, frozen=True):
    """A lever by itself: predicted as a share of the wall time that it saves, measured as a speed-up.

    `typical` is what it is chosen by: each query's median over the blocks, weighed by its time.
    """

    name: str
    kind: str
    prediction: LeverPrediction | None
    speed_up: float | None
    typical: float | None
    interval: Interval | None
    outcome: ScreeningResult
    gates: tuple[Gate, ...]


class LeftOutLever(msgspec.Struct, frozen=True):
    """A lever that wasn't tried."""

    name: str
    reason: LeverExclusion
    why_not: str
    prediction: LeverPrediction | None


class StageArm(msgspec.Struct, frozen=True):
    """An arm of a stage: its mean pass through the queries, its speed-up against the stage's baseline."""

    levers: tuple[str, ...]
    speed_up: float | None
    wall_ns: int | None
    gates: tuple[Gate, ...]


class ImprovementDocument(Published, frozen=True, kw_only=True):
    """How an improvement ended, and everything that it rests on."""

    schema: Literal["punie.trace.improvement"] = "punie.trace.improvement"
    schema_version: Literal[1] = 1
    source: str
    notes: tuple[str, ...]
    headline: str
    ending: ImprovementEnding
    verdict: Verdict
    winner: tuple[str, ...]
    confirmation: Confirmation | None
    levers: tuple[TriedLever, ...]
    left_out: tuple[LeftOutLever, ...]
    stages: Mapping[Stage, tuple[StageArm, ...]]
    causes: tuple[Cause, ...]
    track_records: tuple[TrackRecord, ...]
    replay: str | None
    next_steps: tuple[str, ...]


def publish_improvement(report: ImprovementContent) -> ImprovementDocument:
    """The report as its published type."""
    state = report.state
    values = {
        "source": report.source,
        "notes": report.notes,
        "headline": headline(report),
        "ending": report.ending,
        "verdict": VERDICTS[report.ending],
        "winner": state.winner or (),
        "confirmation": state.confirmation,
        "levers": [
            {
                "name": lever.candidate.name,
                "kind": lever.candidate.kind,
                "prediction": lever.candidate.prediction,
                "speed_up": lever.speed_up,
                "typical": lever.typical,
                "interval": lever.interval,
                "outcome": lever.outcome,
                "gates": lever.gates,
            }
            for lever in state.screened
        ],
        "left_out": [
            {"name": c.name, "reason": reason, "why_not": c.why_not, "prediction": c.prediction}
            for c, reason in state.ranking.left_out
        ],
        "stages": {stage: list(_arms(report, stage)) for stage in report.experiments},
        "causes": report.baseline.causes,
        "track_records": track_records(report.history),
        "replay": report.settings.replay,
        "next_steps": next_steps(report),
    }
    return msgspec.convert(values, ImprovementDocument, from_attributes=True)


def _arms(report: ImprovementContent, stage: Stage) -> list[dict[str, Any]]:
    measured = report.state.done[stage].arms
    return [
        {
            "levers": result.arm.levers,
            "speed_up": measured[result.arm.levers].speed_up if result.arm.levers in measured else None,
            "wall_ns": result.summary.wall_ns,
            "gates": result.gates,
        }
        for result in report.experiments[stage].arms
    ]
