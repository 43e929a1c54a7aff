"""What the screening says of each lever, and what is confirmed of it.

Screening is generous: a lever stays if its estimate is at least `LEAST_SCREENED` and no gate is closed. So few blocks
can't tell 10 % from nothing, and a useful lever that is dropped here is lost, while a useless one that stays costs time
alone: the confirmation, in fresh blocks, is what is sold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from punie.trace.analysis.experiment.arms import ExpectedOutput
from punie.trace.analysis.experiment.gates import Gate, GateKind, closed
from punie.trace.analysis.improvement.model import (
    ArmMeasurement,
    Candidate,
    LeverSet,
    StageMeasurement,
)
from punie.trace.analysis.improvement.ranking import Ranking
from punie.trace.analysis.statistics.spread import LEVEL, Interval
from punie.trace.model import Verdict

SCREENING_BLOCKS: Final = 3
LEAST_SCREENED: Final = 1.03


class Screened(StrEnum):
    """What came of a lever in the screening."""

    HELPS = "helps"
    DOESNT_HELP = "doesnt-help"
    BREAKS_A_GATE = "breaks-a-gate"
    NOT_MEASURED = "not-measured"


@dataclass(frozen=True, slots=True)
class ScreenedLever:
    """One lever by itself: `interval` is its 95 % interval, `closed` the gates that keep it out."""

    candidate: Candidate
    outcome: Screened
    speed_up: float | None
    interval: Interval | None
    gates: tuple[Gate, ...]
    closed: tuple[Gate, ...]


def screen(ranking: Ranking, measured: StageMeasurement) -> tuple[ScreenedLever, ...]:
    """Every lever that is tried, in the ranking's order."""
    return tuple(_screened(candidate, measured.arms.get((candidate.name,))) for candidate in ranking.tried)


def chosen(screened: Sequence[ScreenedLever]) -> tuple[ScreenedLever, ...]:
    """Those that help, of each kind the fastest, in the order in which they were given."""
    best: dict[str, ScreenedLever] = {}
    for lever in screened:
        if lever.outcome is Screened.HELPS:
            rival = best.get(lever.candidate.kind)
            if rival is None or (lever.speed_up or 0) > (rival.speed_up or 0):
                best[lever.candidate.kind] = lever
    return tuple(lever for lever in screened if best.get(lever.candidate.kind) is lever)


def best_part(parts: Sequence[ScreenedLever]) -> ScreenedLever:
    """The fastest by itself."""
    return max(parts, key=lambda lever: lever.speed_up or 0)


def winner(parts: Sequence[ScreenedLever], combined: StageMeasurement | None, ranking: Ranking) -> LeverSet:
    """The combination if it was measured, keeps the gates and is faster than its best part; else that part."""
    alone = (best_part(parts).candidate.name,)
    if combined is None:
        return alone
    together = tuple(lever.candidate.name for lever in parts)
    arm, part = combined.arms.get(together), combined.arms.get(alone)
    if arm is None or keeps_out(arm, ranking):
        return alone
    faster = (arm.speed_up or 0) > ((part.speed_up if part else None) or 0)
    return together if faster else alone


def keeps_out(arm: ArmMeasurement, ranking: Ranking) -> tuple[Gate, ...]:
    """The gates that keep this arm out, by what its levers promise together."""
    candidates = [ranking.candidate(name) for name in arm.levers]
    equal = all(candidate.output is ExpectedOutput.SAME for candidate in candidates)
    relevant = [gate for gate in arm.gates if equal or gate.kind is not GateKind.SAME_ANSWERS]
    same = any(g.kind is GateKind.SAME_ANSWERS and g.verdict is Verdict.YES for g in relevant)
    return closed(relevant, scored=not (equal and same))


def _screened(candidate: Candidate, arm: ArmMeasurement | None) -> ScreenedLever:
    if arm is None:
        return ScreenedLever(candidate, Screened.NOT_MEASURED, None, None, (), ())
    out = keeps_out(arm, Ranking((candidate,), ()))
    return ScreenedLever(candidate, _outcome(arm, out), arm.speed_up, arm.interval(LEVEL), arm.gates, out)


def _outcome(arm: ArmMeasurement, out: Sequence[Gate]) -> Screened:
    if any(gate.verdict is Verdict.NO for gate in out):
        return Screened.BREAKS_A_GATE
    if arm.speed_up is None:
        return Screened.NOT_MEASURED
    if out:
        return Screened.BREAKS_A_GATE
    return Screened.HELPS if arm.speed_up >= LEAST_SCREENED else Screened.DOESNT_HELP
