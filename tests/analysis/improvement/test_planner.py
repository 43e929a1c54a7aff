"""What an improvement measures next, and how it ends: from planted measurements alone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import median

import pytest

from punie.trace.analysis.experiment.arms import ExpectedOutput
from punie.trace.analysis.experiment.gates import Gate, GateKind
from punie.trace.analysis.improvement.confirmation import look
from punie.trace.analysis.improvement.model import (
    ArmMeasurement,
    Budget,
    ImprovementEnding,
    LeverCandidate,
    LeverPrediction,
    LeverSet,
    Stage,
    StageMeasurement,
    StagePlan,
)
from punie.trace.analysis.improvement.planner import ImprovementState, Sizes
from punie.trace.analysis.improvement.ranking import LeverChoice, LeverExclusion, rank
from punie.trace.analysis.improvement.screening import ScreeningResult
from punie.trace.analysis.statistics.ratio import RatioUnit
from punie.trace.bench.improving import improve
from punie.trace.model import Verdict

JITTER = (1.01, 0.99, 1.005, 0.995)
WRONG = Gate(GateKind.ACCURACY, Verdict.NO, queries=("q",), of=5)
ALL_RIGHT = Gate(GateKind.ACCURACY, Verdict.YES, of=5)


def candidate(
    name: str, share: float | None = None, kind: str = "", why_not: str = "", not_with: tuple[str, ...] = ()
) -> LeverCandidate:
    predicted = None if share is None else LeverPrediction(share, share / 2, share * 1.5)
    return LeverCandidate(
        name, f"{name} on", kind or name, ExpectedOutput.JUDGED, predicted, why_not, not_with
    )


@dataclass
class Planted:
    """Arms take what is planted: `true` speed-ups by levers; what isn't there is the product of its parts."""

    true: Mapping[LeverSet, float]
    gates: Mapping[LeverSet, Gate] = field(default_factory=dict)
    budget_cells: int | None = None
    asked: list[StagePlan] = field(default_factory=list)
    cells: int = 0
    done: dict[Stage, int] = field(default_factory=dict)

    async def measure(self, plan: StagePlan) -> StageMeasurement:
        self.asked.append(plan)
        self.cells += (plan.blocks - self.done.get(plan.stage, 0)) * (len(plan.arms) + 1)
        self.done[plan.stage] = plan.blocks
        return StageMeasurement(plan.stage, plan.blocks, {a: self._arm(a, plan.blocks) for a in plan.arms})

    def budget(self) -> Budget:
        return Budget(self.budget_cells, self.cells, 1)

    def _arm(self, levers: LeverSet, blocks: int) -> ArmMeasurement:
        speed_up = self.true.get(levers)
        if speed_up is None:
            speed_up = 1.0
            for name in levers:
                speed_up *= self.true[(name,)]
        units = tuple(RatioUnit(JITTER[n % 4], 1 / speed_up) for n in range(blocks))
        return arm_of(levers, units, (self.gates.get(levers, ALL_RIGHT),))


def arm_of(
    levers: LeverSet, units: tuple[RatioUnit, ...], gates: tuple[Gate, ...] = (ALL_RIGHT,)
) -> ArmMeasurement:
    """Of one query: what is typical is the median of the blocks."""
    return ArmMeasurement(levers, units, median(unit.part / unit.whole for unit in units), gates)


def run(
    planted: Planted, *candidates: LeverCandidate, choice: LeverChoice | None = None
) -> tuple[ImprovementState, ImprovementEnding]:
    ranking = rank(candidates, choice or LeverChoice())
    return asyncio.run(improve(planted, lambda _: ImprovementState(ranking, {})))


def test_what_helps_is_combined_and_confirmed_in_fresh_blocks() -> None:
    planted = Planted({("cache",): 1.5, ("brief",): 1.3, ("nothing",): 1.0})
    state, ending = run(planted, candidate("nothing"), candidate("brief", 0.2), candidate("cache", 0.3))
    assert ending is ImprovementEnding.IMPROVED
    assert state.winner == ("cache", "brief")
    assert [(plan.stage, plan.arms, plan.blocks) for plan in planted.asked] == [
        (Stage.BASELINE, (), 2),
        (Stage.SCREENING, (("cache",), ("brief",), ("nothing",)), 3),
        (Stage.COMBINATION, (("cache", "brief"), ("cache",)), 3),
        (Stage.CONFIRMATION, (("cache", "brief"),), 4),
    ]
    assert state.confirmation
    assert state.confirmation.interval
    assert state.confirmation.interval.holds(1.95)


def test_a_combination_that_is_worse_than_its_best_part_is_left_for_that_part() -> None:
    planted = Planted({("draft",): 1.2, ("cache",): 1.5, ("cache", "draft"): 1.1})
    state, ending = run(planted, candidate("cache", 0.3), candidate("draft", 0.2))
    assert ending is ImprovementEnding.IMPROVED
    assert state.winner == ("cache",)


def test_a_combination_that_breaks_a_gate_is_left_for_its_best_part() -> None:
    together = ("cache", "brief")
    planted = Planted({("brief",): 1.2, ("cache",): 1.5}, gates={together: WRONG})
    state, ending = run(planted, candidate("cache", 0.3), candidate("brief", 0.2))
    assert (state.winner, ending) == (("cache",), ImprovementEnding.IMPROVED)


def test_of_one_kind_the_fastest_is_taken() -> None:
    planted = Planted({("k=2",): 1.2, ("k=3",): 1.4})
    state, _ = run(planted, candidate("k=2", kind="draft"), candidate("k=3", kind="draft"))
    assert state.winner == ("k=3",)
    assert Stage.COMBINATION not in planted.done


def test_levers_that_undo_each_other_are_not_combined() -> None:
    planted = Planted({("cache",): 1.5, ("draft",): 1.2, ("brief",): 1.3})
    state, _ = run(
        planted, candidate("cache"), candidate("draft", not_with=("cache",)), candidate("brief", 0.2)
    )
    assert state.winner == ("brief", "cache")


class BreaksLate(Planted):
    """`levers` are right until the confirmation."""

    late: LeverSet = ("cache", "brief")

    def _arm(self, levers: LeverSet, blocks: int) -> ArmMeasurement:
        made = super()._arm(levers, blocks)
        breaks = levers == self.late and self.asked[-1].stage is Stage.CONFIRMATION
        return replace(made, gates=(WRONG,)) if breaks else made


def test_where_the_winner_breaks_a_gate_in_the_confirmation_the_runner_up_is_confirmed() -> None:
    planted = BreaksLate({("cache",): 1.5, ("brief",): 1.3})
    state, ending = run(planted, candidate("cache", 0.3), candidate("brief", 0.2))
    assert (state.favourite, state.broken) == (("cache", "brief"), (WRONG,))
    assert (state.winner, state.stage, ending) == (("cache",), Stage.RUNNER_UP, ImprovementEnding.IMPROVED)
    assert planted.asked[-1] == StagePlan(Stage.RUNNER_UP, (("cache",),), 4)
    assert state.confirmation
    assert state.confirmation.interval
    assert state.confirmation.interval.holds(1.5)


def test_without_a_runner_up_nothing_helps() -> None:
    planted = BreaksLate({("cache",): 1.5})
    planted.late = ("cache",)
    state, ending = run(planted, candidate("cache", 0.3))
    assert (state.winner, state.closed, ending) == (("cache",), (WRONG,), ImprovementEnding.NOTHING_HELPS)


def test_levers_that_few_blocks_can_not_drop_are_screened_in_more() -> None:
    class Unlucky(Planted):
        def _arm(self, levers: LeverSet, blocks: int) -> ArmMeasurement:
            made = super()._arm(levers, blocks)
            unlucky = levers == ("slow-starter",) and blocks == 3
            units = tuple(RatioUnit(part, 1.0) for part in (0.9, 1.1, 1.0))
            return arm_of(levers, units, made.gates) if unlucky else made

    planted = Unlucky({("slow-starter",): 1.2})
    state, ending = run(planted, candidate("slow-starter"))
    assert [plan.blocks for plan in planted.asked if plan.stage is Stage.SCREENING] == [3, 6]
    assert (state.winner, ending) == (("slow-starter",), ImprovementEnding.IMPROVED)


def test_a_burst_of_other_work_in_one_block_drops_no_lever() -> None:
    class Burst(Planted):
        def _arm(self, levers: LeverSet, blocks: int) -> ArmMeasurement:
            made = super()._arm(levers, blocks)
            first = RatioUnit(1.0, 2.0)  # the arm was disturbed
            return (
                arm_of(levers, (first, *made.blocks[1:])) if self.asked[-1].stage is Stage.SCREENING else made
            )

    planted = Burst({("brief",): 1.2})
    state, ending = run(planted, candidate("brief"))
    (screened,) = state.screened
    assert screened.speed_up is not None
    assert screened.speed_up < 1
    assert screened.outcome is ScreeningResult.HELPS
    assert ending is ImprovementEnding.IMPROVED


def test_a_lever_that_breaks_answers_is_kept_out_however_fast_it_is() -> None:
    planted = Planted({("fast",): 3.0}, gates={("fast",): WRONG})
    state, ending = run(planted, candidate("fast", 0.7))
    assert ending is ImprovementEnding.NOTHING_HELPS
    (lever,) = state.screened
    assert (lever.outcome, lever.closed) == (ScreeningResult.BREAKS_A_GATE, (WRONG,))


def test_answers_that_nobody_scored_keep_out_what_has_to_be_judged() -> None:
    unscored = Gate(GateKind.ACCURACY, Verdict.UNDECIDED)
    planted = Planted({("brief",): 1.5}, gates={("brief",): unscored})
    assert run(planted, candidate("brief", 0.3))[1] is ImprovementEnding.NOTHING_HELPS


def test_what_helped_by_luck_is_not_sold() -> None:
    class Lucky(Planted):
        def _arm(self, levers: LeverSet, blocks: int) -> ArmMeasurement:
            made = super()._arm(levers, blocks)
            lucky = self.asked[-1].stage is Stage.SCREENING
            return replace(made, typical=1.2) if lucky else made

    planted = Lucky({("useless",): 1.0})
    state, ending = run(planted, candidate("useless"))
    assert ending is ImprovementEnding.NOTHING_HELPS
    assert state.screened[0].outcome is ScreeningResult.HELPS
    assert state.confirmation
    assert state.confirmation.verdict is Verdict.NO


def test_without_a_lever_to_try_nothing_helps() -> None:
    planted = Planted({})
    state, ending = run(
        planted, candidate("bits", why_not="no other model is given"), candidate("tiny", 0.001)
    )
    assert ending is ImprovementEnding.NOTHING_HELPS
    assert [(c.name, why) for c, why in state.ranking.left_out] == [
        ("bits", LeverExclusion.NOT_HERE),
        ("tiny", LeverExclusion.CANT_MATTER),
    ]
    assert planted.done == {Stage.BASELINE: 2}


def test_what_the_budget_does_not_allow_is_named_and_a_confirmation_still_fits() -> None:
    planted = Planted({("a",): 1.5, ("b",): 1.4}, budget_cells=2 + 6 + 8)
    state, ending = run(planted, candidate("a", 0.3), candidate("b", 0.2))
    assert ending is ImprovementEnding.IMPROVED
    assert state.planned == ("a",)
    assert [(c.name, why) for c, why in state.ranking.left_out] == [("b", LeverExclusion.NO_BUDGET)]
    assert planted.cells == 16


def test_where_the_budget_left_levers_untried_it_is_not_said_that_nothing_helps() -> None:
    planted = Planted({("a",): 1.0, ("b",): 1.4}, budget_cells=2 + 6 + 8)
    state, ending = run(planted, candidate("a", 0.3), candidate("b", 0.2))
    assert (state.planned, state.parts, ending) == (("a",), (), ImprovementEnding.BUDGET_SPENT)


@pytest.mark.parametrize("cells", [3, 12])
def test_a_budget_that_allows_no_confirmation_is_spent(cells: int) -> None:
    planted = Planted({("a",): 1.5}, budget_cells=cells)
    state, ending = run(planted, candidate("a", 0.3))
    assert ending is ImprovementEnding.BUDGET_SPENT
    assert state.confirmation is None


def test_a_confirmation_that_stays_open_takes_more_blocks_until_the_last_look() -> None:
    class Noisy(Planted):
        def _arm(self, levers: LeverSet, blocks: int) -> ArmMeasurement:
            return arm_of(levers, tuple(RatioUnit(1.6 - 0.6 * (n % 2), 1.2) for n in range(blocks)))

    planted = Noisy({})
    _, ending = run(planted, candidate("noisy"))
    assert ending is ImprovementEnding.UNDECIDED
    assert [plan.blocks for plan in planted.asked if plan.stage is Stage.CONFIRMATION] == [*Sizes().looks]


def test_what_was_interrupted_between_two_looks_is_judged_at_the_next_one() -> None:
    arm = arm_of(("a",), tuple(RatioUnit(JITTER[n % 4], 0.5) for n in range(8)))
    between = look(replace(arm, blocks=arm.blocks[:5]), 5, looks=(4, 8, 16))
    assert (between.verdict, between.interval, between.next_look) == (Verdict.UNDECIDED, None, 8)
    assert look(arm, 8, looks=(4, 8, 16)).verdict is Verdict.YES


def test_levers_are_chosen_by_name_or_kind() -> None:
    found = rank(
        (candidate("k=2", kind="draft"), candidate("cache"), candidate("tiny", 0.0)),
        LeverChoice(frozenset({"draft", "tiny"}), frozenset({"cache"})),
    )
    assert [c.name for c in found.tried] == ["tiny", "k=2"]
    assert [(c.name, why) for c, why in found.left_out] == [("cache", LeverExclusion.NOT_CHOSEN)]
