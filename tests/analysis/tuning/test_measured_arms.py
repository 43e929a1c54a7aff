"""Arms of a judgement with their tokens and times beside the base and beside the base that is told to be brief."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from benches import build_observation

from punie.trace.analysis.experiment.arms import Arm
from punie.trace.analysis.experiment.measured import Measured
from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.analysis.tuning.judgement import JudgedArm, ModelVariant
from punie.trace.analysis.tuning.measured_arms import judged_arms
from punie.trace.model import Phase

KINDS = {"base": ModelVariant.BASE, "brief": ModelVariant.BRIEF, "adapter": ModelVariant.ADAPTER}
QUERIES = ("q1", "q2", "q3", "q4")


def judged(
    took_ms: Mapping[str, int], tokens: Mapping[str, tuple[int, ...]], added_at: tuple[int, ...] = ()
) -> Mapping[str, JudgedArm]:
    """Two blocks; a query of an arm takes `took_ms` and a little that differs, and has so many output tokens."""
    plan = ExperimentPlan(
        "t", tuple(map(Arm, KINDS)), "base", "s", "h", QUERIES, 2, 1, 0, "now", added_at=added_at
    )
    observations = [
        build_observation(
            arm, block, query, {Phase.DECODE: took_ms[arm] + block}, output_tokens=tokens[arm][number]
        )
        for arm in KINDS
        for block in range(2)
        for number, query in enumerate(QUERIES)
    ]
    return {arm.name: arm for arm in judged_arms(Measured(plan, tuple(observations)), KINDS, ())}


def test_tokens_and_times_have_their_intervals_beside_both() -> None:
    arms = judged(
        {"base": 1000, "brief": 800, "adapter": 500},
        {"base": (100,) * 4, "brief": (80,) * 4, "adapter": (40, 50, 60, 70)},
    )
    adapter, brief = arms["adapter"], arms["brief"]
    assert adapter.tokens_share is not None
    assert adapter.tokens_share.low < 0.55 < adapter.tokens_share.high < 1
    assert adapter.tokens_share.units == 4
    assert adapter.times is not None
    assert adapter.times.estimate == pytest.approx(2, rel=0.01)
    assert adapter.against_told is not None
    assert adapter.against_told.low < 1.6 < adapter.against_told.high
    assert brief.against_told is None
    assert brief.tokens_share is not None
    assert (brief.tokens_share.low, brief.tokens_share.high) == pytest.approx((0.8, 0.8))


def test_queries_that_gain_as_many_tokens_as_others_lose_leave_it_open() -> None:
    arms = judged(
        dict.fromkeys(KINDS, 1000),
        {"base": (100,) * 4, "brief": (100,) * 4, "adapter": (10, 190, 150, 30)},
    )
    share = arms["adapter"].tokens_share
    assert share is not None
    assert share.holds(1.0)


def test_having_looked_before_widens_the_interval_of_the_tokens() -> None:
    took, tokens = (
        dict.fromkeys(KINDS, 1000),
        dict.fromkeys(KINDS, (100,) * 4) | {"adapter": (40, 50, 60, 70)},
    )
    once, again = (judged(took, tokens, added)["adapter"].tokens_share for added in ((), (1,)))
    assert once is not None
    assert again is not None
    assert (once.level, again.level) == (0.95, 0.975)
    assert again.low < once.low < once.high < again.high
