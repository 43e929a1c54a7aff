"""What the screening says of each lever, and what is confirmed of it.

Screening is generous: a lever stays if its typical speed-up is at least `LEAST_SCREENED` and no gate is closed. So few
blocks can't distinguish 10 % from nothing, and a useful lever that is dropped here is lost, while a useless one that
stays costs time alone: the confirmation, in fresh blocks, is what is sold. Where the blocks are too noisy to drop a
lever by, as many are measured again (`is_open`).

Levers are chosen by what is typical (medians), since a choice needs no interval and a burst of other work in one block
of three moves the ratio of the sums by more than a lever of 10 % does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from punie.trace.analysis.experiment.arms import ExpectedOutput
from punie.trace.analysis.experiment.gates import Gate, GateKind, closed
from punie.trace.analysis.improvement.model import (
    ArmMeasurement,
    LeverCandidate,
    LeverSet,
    StageMeasurement,
)
from punie.trace.analysis.improvement.ranking import Ranking
from punie.trace.analysis.statistics.spread import LEVEL, Interval
from punie.trace.model import Verdict

SCREENING_LOOKS: Final = (3, 6)
"""Blocks after which the screening is looked at; it ends at the first look that leaves no lever open."""
LEAST_SCREENED: Final = 1.03
WOULD_BE_MISSED: Final = 1.10
"""A speed-up that no lever is dropped with, as far as the blocks show."""


class ScreeningResult(StrEnum):
    """What came of a lever in the screening."""

    HELPS = "helps"
    DOESNT_HELP = "doesnt-help"
    BREAKS_A_GATE = "breaks-a-gate"
    NOT_MEASURED = "not-measured"


@dataclass(frozen=True, slots=True)
class ScreenedLever:
    """One lever by itself: `interval` is its speed-up's, at 95 %; `closed` are the gates that keep it out.

    It is chosen by its `typical` speed-up. It `is_open` if it would be dropped although it may well bring
    `WOULD_BE_MISSED`.
    """

    candidate: LeverCandidate
    outcome: ScreeningResult
    speed_up: float | None
    typical: float | None
    interval: Interval | None
    gates: tuple[Gate, ...]
    closed: tuple[Gate, ...]
    is_open: bool = False


def screen(ranking: Ranking, measured: StageMeasurement) -> tuple[ScreenedLever, ...]:
    """Every lever that is tried, in the ranking's order."""
    return tuple(_screened(candidate, measured.arms.get((candidate.name,))) for candidate in ranking.tried)


def chosen(screened: Sequence[ScreenedLever]) -> tuple[ScreenedLever, ...]:
    """Those that help and can be had together, in the order in which they were given: of rivals the fastest."""
    selected: list[ScreenedLever] = []
    for lever in by_speed(one for one in screened if one.outcome is ScreeningResult.HELPS):
        if not any(_are_rivals(lever.candidate, other.candidate) for other in selected):
            selected.append(lever)
    return tuple(lever for lever in screened if lever in selected)


def _are_rivals(one: LeverCandidate, other: LeverCandidate) -> bool:
    return one.kind == other.kind or one.kind in other.not_with or other.kind in one.not_with


def by_speed(levers: Iterable[ScreenedLever]) -> list[ScreenedLever]:
    """The fastest by itself first."""
    return sorted(levers, key=lambda lever: -(lever.typical or 0))


def best_part(parts: Sequence[ScreenedLever]) -> ScreenedLever:
    """The fastest by itself."""
    return by_speed(parts)[0]


def runner_up(screened: Sequence[ScreenedLever], first: LeverSet) -> LeverSet | None:
    """What is confirmed where `first` broke a gate: the fastest lever that helps by itself and isn't `first`."""
    names = [
        (lever.candidate.name,) for lever in by_speed(screened) if lever.outcome is ScreeningResult.HELPS
    ]
    return next((levers for levers in names if levers != first), None)


def winner(parts: Sequence[ScreenedLever], combined: StageMeasurement | None, ranking: Ranking) -> LeverSet:
    """The combination if it was measured, keeps the gates and is faster than its best part; else that part."""
    alone = (best_part(parts).candidate.name,)
    if combined is None:
        return alone
    together = tuple(lever.candidate.name for lever in parts)
    arm, part = combined.arms.get(together), combined.arms.get(alone)
    if arm is None or excluding_gates(arm, ranking):
        return alone
    faster = (arm.typical or 0) > ((part.typical if part else None) or 0)
    return together if faster else alone


def excluding_gates(arm: ArmMeasurement, ranking: Ranking) -> tuple[Gate, ...]:
    """The gates that keep this arm out, by what its levers promise together."""
    candidates = [ranking.candidate(name) for name in arm.levers]
    equal = all(candidate.output is ExpectedOutput.SAME for candidate in candidates)
    relevant = [gate for gate in arm.gates if equal or gate.kind is not GateKind.SAME_ANSWERS]
    same = any(g.kind is GateKind.SAME_ANSWERS and g.verdict is Verdict.YES for g in relevant)
    return closed(relevant, scored=not (equal and same))


def _screened(candidate: LeverCandidate, arm: ArmMeasurement | None) -> ScreenedLever:
    if arm is None:
        return ScreenedLever(candidate, ScreeningResult.NOT_MEASURED, None, None, None, (), ())
    out = excluding_gates(arm, Ranking((candidate,), ()))
    outcome = _outcome(arm, out)
    interval = arm.interval(LEVEL)
    is_open = (
        outcome is ScreeningResult.DOESNT_HELP and interval is not None and interval.high >= WOULD_BE_MISSED
    )
    return ScreenedLever(candidate, outcome, arm.speed_up, arm.typical, interval, arm.gates, out, is_open)


def _outcome(arm: ArmMeasurement, out: Sequence[Gate]) -> ScreeningResult:
    if any(gate.verdict is Verdict.NO for gate in out):
        return ScreeningResult.BREAKS_A_GATE
    if arm.typical is None:
        return ScreeningResult.NOT_MEASURED
    if out:
        return ScreeningResult.BREAKS_A_GATE
    return ScreeningResult.HELPS if arm.typical >= LEAST_SCREENED else ScreeningResult.DOESNT_HELP
