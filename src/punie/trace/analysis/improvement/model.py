"""The words of an improvement: levers, what was measured of them, the stages, and how it can end.

A lever is a named difference to the baseline. Levers are measured in blocks; a block has every arm once, each with
its server started anew, so that arms of one block share whatever the machine was like then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from punie.trace.analysis.experiment.arms import ExpectedOutput
from punie.trace.analysis.experiment.gates import Gate
from punie.trace.analysis.statistics.ratio import RatioUnit, half_width, ratio
from punie.trace.analysis.statistics.spread import Interval, UnitKind

LeverSet = tuple[str, ...]
"""Levers that are applied together, in this order; the baseline has none."""
BASELINE: LeverSet = ()


_MOST_SAVED: Final = 0.999  # a lever that saves all of it has no speed-up


def speed_up_of(share: float) -> float:
    """Baseline's time over that of a lever which saves `share` of it."""
    return 1 / (1 - min(share, _MOST_SAVED))


@dataclass(frozen=True, slots=True)
class LeverPrediction:
    """The share of the baseline's wall time that a lever would save, with its 95 % interval.

    `assuming` says what that takes for granted ("output 20 % shorter"); empty where all of it was measured. `low` and
    `high` are None where the interval isn't known.
    """

    share: float
    low: float | None
    high: float | None
    assuming: str = ""

    @property
    def speed_up(self) -> float:
        """Baseline's time over the lever's, as predicted."""
        return speed_up_of(self.share)

    @property
    def at_most(self) -> float:
        """The most that it could save."""
        return self.share if self.high is None else max(self.share, self.high)


@dataclass(frozen=True, slots=True)
class LeverCandidate:
    """One lever that could be tried here.

    Of one `kind` at most one lever can be in a combination, and none with one whose kind is in `not_with`. `why_not`
    says why it can't be tried here at all (it is the server's, and that is somebody else's, say); empty if it can.
    `unpredicted` says why there is no prediction.
    """

    name: str
    text: str
    kind: str
    output: ExpectedOutput
    prediction: LeverPrediction | None = None
    why_not: str = ""
    not_with: tuple[str, ...] = ()
    unpredicted: str = ""


class Stage(StrEnum):
    """The steps of an improvement, in order; each has measurements of its own."""

    BASELINE = "baseline"
    SCREENING = "screening"
    COMBINATION = "combination"
    CONFIRMATION = "confirmation"
    RUNNER_UP = "runner-up"  # confirmed where the winner broke a gate in the confirmation


@dataclass(frozen=True, slots=True)
class ArmMeasurement:
    """What one set of levers came to, in one stage.

    `blocks` pair the baseline's time (part) with the arm's (whole), over the queries that both answered rightly there.
    `typical` is the speed-up by which levers are chosen (`typical_speed_up`), `gates` what was held against it.
    """

    levers: LeverSet
    blocks: tuple[RatioUnit, ...]
    typical: float | None
    gates: tuple[Gate, ...] = ()

    @property
    def speed_up(self) -> float | None:
        """Σ baseline time / Σ its own; None where no block can be compared."""
        return ratio(self.blocks)

    def interval(self, level: float) -> Interval | None:
        """Of the speed-up, over blocks, at confidence `level`; None for fewer than two blocks."""
        width, middle = half_width(self.blocks, level=level), self.speed_up
        if width is None or middle is None:
            return None
        low, high = max(0.0, middle - width.value), middle + width.value
        return Interval(low, high, level, width.method, len(self.blocks), UnitKind.BLOCK)


@dataclass(frozen=True, slots=True)
class StageMeasurement:
    """One stage so far: `blocks` are those that every arm has finished."""

    stage: Stage
    blocks: int
    arms: Mapping[LeverSet, ArmMeasurement]


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What to measure next: these arms beside the baseline, until `blocks` are done in all."""

    stage: Stage
    arms: tuple[LeverSet, ...]
    blocks: int


@dataclass(frozen=True, slots=True)
class Budget:
    """How much time there is: `total_ns` (None: any amount), what finished cells took, what one cell is likely to."""

    total_ns: int | None
    spent_ns: int
    cell_ns: int

    def cells_left(self) -> int | None:
        """How many more cells fit; None if any number does."""
        if self.total_ns is None:
            return None
        return max(0, self.total_ns - self.spent_ns) // max(1, self.cell_ns)


class ImprovementEnding(StrEnum):
    """How an improvement ends."""

    IMPROVED = "improved"
    NOTHING_HELPS = "nothing-helps"
    UNDECIDED = "undecided"
    BUDGET_SPENT = "budget-spent"
