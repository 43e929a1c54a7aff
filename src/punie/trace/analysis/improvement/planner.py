"""What to do next in an improvement: measure something, or end. It follows from what was measured, and nothing else.

So an improvement that was interrupted goes on where it was: the same measurements give the same next step.

    baseline ─▶ screening ─▶ combination ─▶ confirmation ─▶ ending
                  │ nothing helps              │ one lever helps: no combination
                                               └ breaks a gate there ─▶ the runner-up's confirmation
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from punie.trace.analysis.experiment.gates import Gate
from punie.trace.analysis.improvement.confirmation import LOOKS, Confirmation, look
from punie.trace.analysis.improvement.model import (
    ArmMeasurement,
    Budget,
    ImprovementEnding,
    LeverCandidate,
    LeverSet,
    Stage,
    StageMeasurement,
    StagePlan,
)
from punie.trace.analysis.improvement.ranking import LeverExclusion, Ranking
from punie.trace.analysis.improvement.screening import (
    SCREENING_LOOKS,
    ScreenedLever,
    best_part,
    chosen,
    excluding_gates,
    runner_up,
    screen,
    winner,
)
from punie.trace.model import Verdict

BASELINE_BLOCKS: Final = 2
COMBINATION_BLOCKS: Final = 3
_CONFIRMED_ARMS: Final = 2  # the baseline and the winner


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured in each stage, in blocks; `looks` are those of a confirmation."""

    baseline: int = BASELINE_BLOCKS
    screening: tuple[int, ...] = SCREENING_LOOKS
    combination: int = COMBINATION_BLOCKS
    looks: tuple[int, ...] = LOOKS


@dataclass(frozen=True, slots=True)
class ImprovementState:
    """Everything that was measured so far, and what follows from it.

    `done` has the measurements by stage. `planned` are the levers that the screening was planned with (those that the
    budget allowed), None before.
    """

    ranking: Ranking
    done: Mapping[Stage, StageMeasurement]
    sizes: Sizes = Sizes()
    planned: tuple[str, ...] | None = None

    @property
    def screened(self) -> tuple[ScreenedLever, ...]:
        """What the screening says of each lever; empty before."""
        measured = self.done.get(Stage.SCREENING)
        return screen(self.ranking, measured) if measured else ()

    @property
    def parts(self) -> tuple[ScreenedLever, ...]:
        """The levers that help, that can be had together."""
        return chosen(self.screened)

    @property
    def combination(self) -> ArmMeasurement | None:
        """All parts together, where they were measured."""
        measured = self.done.get(Stage.COMBINATION)
        return measured.arms.get(_names(self.parts)) if measured else None

    @property
    def favourite(self) -> LeverSet | None:
        """What is confirmed first; None where nothing helps."""
        parts = self.parts
        return winner(parts, self.done.get(Stage.COMBINATION), self.ranking) if parts else None

    @property
    def broken(self) -> tuple[Gate, ...]:
        """The gates that the favourite broke in the confirmation."""
        arm = self._arm(Stage.CONFIRMATION, self.favourite)
        return excluding_gates(arm, self.ranking) if arm else ()

    @property
    def stage(self) -> Stage:
        """Of the confirmation that counts: the runner-up's where the favourite broke a gate and there is one."""
        second = self.broken and runner_up(self.screened, self.favourite or ())
        return Stage.RUNNER_UP if second else Stage.CONFIRMATION

    @property
    def winner(self) -> LeverSet | None:
        """What is, or is to be, confirmed; None where nothing helps."""
        first = self.favourite
        return first if first is None or self.stage is Stage.CONFIRMATION else runner_up(self.screened, first)

    @property
    def confirmed(self) -> ArmMeasurement | None:
        """The winner in fresh blocks."""
        return self._arm(self.stage, self.winner)

    @property
    def confirmation(self) -> Confirmation | None:
        """What the fresh blocks say of it."""
        arm, measured = self.confirmed, self.done.get(self.stage)
        return look(arm, measured.blocks, self.sizes.looks) if arm and measured else None

    @property
    def closed(self) -> tuple[Gate, ...]:
        """The gates that the winner broke in its confirmation."""
        return excluding_gates(self.confirmed, self.ranking) if self.confirmed else ()

    def _arm(self, stage: Stage, levers: LeverSet | None) -> ArmMeasurement | None:
        measured = self.done.get(stage)
        return measured.arms.get(levers) if measured and levers else None


def next_step(state: ImprovementState, budget: Budget) -> StagePlan | ImprovementEnding:
    """What to measure next, or how it ends."""
    if _blocks(state, Stage.BASELINE) < state.sizes.baseline:
        return StagePlan(Stage.BASELINE, (), state.sizes.baseline)
    if not state.ranking.tried:
        return ImprovementEnding.NOTHING_HELPS
    if blocks := _screening_blocks(state, budget):
        names = state.planned or affordable(state, budget)
        arms = tuple((name,) for name in names)
        return StagePlan(Stage.SCREENING, arms, blocks) if arms else ImprovementEnding.BUDGET_SPENT
    if not state.parts:
        cut_short = any(reason is LeverExclusion.NO_BUDGET for _, reason in state.ranking.left_out)
        return ImprovementEnding.BUDGET_SPENT if cut_short else ImprovementEnding.NOTHING_HELPS
    return _combination(state, budget) or _confirmation(state, budget)


def affordable(state: ImprovementState, budget: Budget) -> tuple[str, ...]:
    """The levers that can be screened so that a first look at a confirmation still fits, the most promising first."""
    names = tuple(candidate.name for candidate in state.ranking.tried)
    left = budget.cells_left()
    if left is None:
        return names
    return names[: max(0, (left - _reserved(state)) // state.sizes.screening[0] - 1)]


def _reserved(state: ImprovementState) -> int:
    """The cells of a first look at a confirmation."""
    return state.sizes.looks[0] * _CONFIRMED_ARMS


def _screening_blocks(state: ImprovementState, budget: Budget) -> int | None:
    """How many blocks of the screening have to be there; None if enough are."""
    done, looks = _blocks(state, Stage.SCREENING), state.sizes.screening
    blocks = next((look for look in looks if look > done), None)
    if blocks is None or done < looks[0]:
        return blocks
    if Stage.COMBINATION in state.done or Stage.CONFIRMATION in state.done:
        return None
    cells, left = (blocks - done) * (len(state.planned or ()) + 1), budget.cells_left()
    fits = left is None or left >= cells + _reserved(state)
    return blocks if fits and any(lever.is_open for lever in state.screened) else None


def without_unaffordable(ranking: Ranking, planned: tuple[str, ...]) -> Ranking:
    """The ranking with what the budget left of it."""
    dropped = tuple((c, LeverExclusion.NO_BUDGET) for c in ranking.tried if c.name not in planned)
    tried: tuple[LeverCandidate, ...] = tuple(c for c in ranking.tried if c.name in planned)
    return replace(ranking, tried=tried, left_out=(*ranking.left_out, *dropped))


def _combination(state: ImprovementState, budget: Budget) -> StagePlan | None:
    """All parts together beside the best of them; None if there is one part, if it is done, or not affordable."""
    blocks, parts = state.sizes.combination, state.parts
    begun = _blocks(state, Stage.COMBINATION)
    if len(parts) < 2 or begun >= blocks or Stage.CONFIRMATION in state.done:
        return None
    left, arms = budget.cells_left(), (_names(parts), (best_part(parts).candidate.name,))
    needed = (blocks - begun) * (len(arms) + 1) + _reserved(state)
    if not begun and left is not None and left < needed:
        return None
    return StagePlan(Stage.COMBINATION, arms, blocks)


def _confirmation(state: ImprovementState, budget: Budget) -> StagePlan | ImprovementEnding:
    levers, confirmation = state.winner, state.confirmation
    if levers is None:
        return ImprovementEnding.NOTHING_HELPS
    if state.closed:
        return ImprovementEnding.NOTHING_HELPS
    if confirmation is not None and confirmation.next_look is None:
        return _ENDINGS[confirmation.verdict]
    blocks = confirmation.next_look if confirmation else state.sizes.looks[0]
    done, left = _blocks(state, state.stage), budget.cells_left()
    if blocks is None:
        raise AssertionError("a confirmation without a look to come is decided")
    if left is not None and left < (blocks - done) * _CONFIRMED_ARMS:
        return ImprovementEnding.BUDGET_SPENT
    return StagePlan(state.stage, (levers,), blocks)


_ENDINGS: Final = {
    Verdict.YES: ImprovementEnding.IMPROVED,
    Verdict.NO: ImprovementEnding.NOTHING_HELPS,
    Verdict.UNDECIDED: ImprovementEnding.UNDECIDED,
}


def _names(levers: tuple[ScreenedLever, ...]) -> LeverSet:
    return tuple(lever.candidate.name for lever in levers)


def _blocks(state: ImprovementState, stage: Stage) -> int:
    measured = state.done.get(stage)
    return measured.blocks if measured else 0
