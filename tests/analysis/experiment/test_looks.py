"""Ending early keeps its promise: at which level an experiment is looked at, and how often luck is sold."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from benches import build_observation

from punie.trace.analysis.experiment.arms import Arm
from punie.trace.analysis.experiment.looks import default_looks, looks_of, overall_level
from punie.trace.analysis.experiment.measured import Measured
from punie.trace.analysis.experiment.plan import ExperimentPlan, StoppingRule
from punie.trace.analysis.experiment.results import StopReason, analyse
from punie.trace.model import Phase, Verdict

PLAN = ExperimentPlan(
    "b", (Arm("base"), Arm("other")), "base", "s", "h", ("q1", "q2"), blocks=8, repeats=1, seed=0, created="now",
    stopping=StoppingRule(default_looks(8), decided=True),
)  # fmt: skip


def test_all_planned_looks_together_keep_the_error_rate() -> None:
    looks = looks_of(PLAN)
    assert [look.blocks for look in looks] == [4, 6, 8]
    assert {round(look.level, 4) for look in looks} == {0.9833}
    assert overall_level(looks) == pytest.approx(0.95)
    assert [look.may_stop for look in looks] == [True, True, False]


def test_without_a_rule_there_is_one_look() -> None:
    (look,) = looks_of(replace(PLAN, stopping=StoppingRule()))
    assert (look.blocks, round(look.level, 4)) == (8, 0.95)


def test_blocks_that_are_added_cost_half_the_error_rate_each_time() -> None:
    looks = looks_of(replace(PLAN, stopping=StoppingRule(), blocks=16, added_at=(8, 12)))
    assert [look.blocks for look in looks] == [8, 12, 16]
    assert [look.level for look in looks] == pytest.approx([0.95, 0.975, 0.9875])
    assert overall_level(looks) > 0.9


@pytest.mark.parametrize(("blocks", "looks"), [(1, (1,)), (2, (2,)), (4, (3, 4)), (8, (4, 6, 8))])
def test_nobody_looks_before_the_third_block(blocks: int, looks: tuple[int, ...]) -> None:
    assert default_looks(blocks) == looks


def simulated(seed: int, speed_up: float) -> Measured:
    """Starts that differ by 4 %, queries by 2 % more: a block each."""
    noise = random.Random(seed)  # noqa: S311
    found = []
    for block in range(PLAN.blocks):
        for arm, factor in (("base", 1.0), ("other", 1 / speed_up)):
            start = noise.gauss(1, 0.04)
            for query in PLAN.queries:
                took = round(100_000 * factor * start * noise.gauss(1, 0.02))
                found.append(build_observation(arm, block, query, {Phase.DECODE: took}))
    return Measured(PLAN, tuple(found))


def test_an_arm_that_does_nothing_is_seldom_called_faster() -> None:
    found = [analyse(simulated(seed, 1.0)).of("other").verdict for seed in range(150)]
    assert (
        sum(verdict is not Verdict.UNDECIDED for verdict in found) <= 14
    )  # 7.5 expected at most; P(more) < 1 %


def test_a_large_effect_ends_early_and_its_interval_holds_it() -> None:
    found = [analyse(simulated(seed, 1.5)) for seed in range(20)]
    assert all(item.of("other").verdict is Verdict.YES for item in found)
    assert {item.ended.why for item in found} == {StopReason.DECIDED}
    held = [interval.holds(1.5) for item in found if (interval := item.of("other").interval)]
    assert sum(held) >= 17
    assert min(item.ended.blocks for item in found) == 4
    assert all(item.missing == 0 for item in found)


def test_an_unfinished_experiment_claims_nothing() -> None:
    whole = simulated(1, 1.5)
    part = tuple(item for item in whole.observations if item.block < 3)
    found = analyse(replace(whole, observations=part))
    assert (found.ended.why, found.ended.blocks) == (StopReason.UNFINISHED, 3)
    assert found.of("other").verdict is Verdict.UNDECIDED
    assert found.missing > 0
