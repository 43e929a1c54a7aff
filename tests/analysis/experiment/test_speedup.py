"""Speed-ups: what is paired, what is left out, how the best of several is judged."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import speculative_rates
from benches import ARMS, CACHED_DRAFT, build_observation, build_plan, observe_all

from punie.trace.analysis.experiment.pairing import Pair, comparable, decode_ns, pair, wall_ns
from punie.trace.analysis.experiment.speedup import (
    SpeedUp,
    best_of,
    blocks_needed,
    judge,
    speed_up,
    typical_speed_up,
)
from punie.trace.analysis.speculative.model import BATCHED, THRESHOLD
from punie.trace.analysis.statistics.spread import Interval, Method
from punie.trace.model import Phase, Verdict

MS = 1_000_000
DECODE = {"batched": 400, "batched-aa": 400, "sequential": 420, "draft0-k2": 300, "draft0-k3": 250}


def _interval(low: float, high: float) -> Interval:
    return Interval(low, high, 0.95, Method.JACKKNIFE_T, 5)


def _up(arm: str, estimate: float, width: float, shared: float) -> SpeedUp:
    own, for_all = (_interval(estimate - w, estimate + w) for w in (width, shared))
    return SpeedUp(arm, BATCHED, estimate, own, for_all, blocks=5, pairs=15, censored=0, queries=())


def test_the_speed_up_is_the_ratio_of_sums() -> None:
    plan = build_plan()
    found = speed_up(observe_all(plan, DECODE, jitter_ms=0), "draft0-k3", BATCHED, wall_ns)
    assert found is not None
    assert found.estimate == pytest.approx((400 + 40 + 20) / (250 + 100 + 20))
    assert (found.blocks, found.pairs, found.censored) == (5, 15, 0)


def test_what_is_typical_withstands_a_burst_of_other_work() -> None:
    quiet = {"short": (200.0, 100.0), "long": (800.0, 800.0)}
    pairs = [Pair(block, query, times) for block in range(3) for query, times in quiet.items()]
    assert typical_speed_up(pairs) == pytest.approx(1000 / 900)
    burst = [Pair(2, "long", (800.0, 2400.0)) if p.block == 2 and p.query_id == "long" else p for p in pairs]
    assert typical_speed_up(burst) == pytest.approx(1000 / 900)
    assert typical_speed_up([]) is None


def test_identical_blocks_have_an_interval_without_width() -> None:
    found = speed_up(observe_all(build_plan(), DECODE, jitter_ms=0), "draft0-k3", BATCHED, decode_ns)
    assert found is not None
    assert found.interval is not None
    assert found.interval.low == pytest.approx(found.interval.high)


def test_one_block_has_no_interval_and_decides_nothing() -> None:
    found = speed_up(observe_all(build_plan(blocks=1), DECODE), "draft0-k3", BATCHED, wall_ns)
    assert found is not None
    assert found.interval is None
    assert found.verdict(THRESHOLD) is Verdict.UNDECIDED


def test_blocks_are_the_unit_however_many_queries_there_are() -> None:
    found = speed_up(observe_all(build_plan(blocks=3, repeats=2), DECODE), "draft0-k3", BATCHED, wall_ns)
    assert found is not None
    assert found.interval is not None
    assert found.interval.units == 3


@pytest.mark.parametrize("spoilt", [{"ok": False}, {"error": "TimeoutError: x"}, {"truncated": 1}])
def test_failing_fast_or_being_cut_off_is_not_fast(spoilt: dict[str, Any]) -> None:
    plan = build_plan()
    asked = list(observe_all(plan, DECODE, jitter_ms=0))
    index = next(i for i, seen in enumerate(asked) if seen.arm == "draft0-k3")
    quick = build_observation("draft0-k3", 0, "find", {Phase.DECODE: 1}, **spoilt)
    asked[index] = quick
    found = speed_up(asked, "draft0-k3", BATCHED, wall_ns)
    assert found is not None
    assert (found.pairs, found.censored) == (14, 1)
    assert found.estimate == pytest.approx(460 / 370)


def test_with_the_cache_on_only_first_askings_count() -> None:
    plan = build_plan((ARMS[0], CACHED_DRAFT), blocks=1, repeats=3, queries=("find",))
    asked = [
        build_observation(arm.name, 0, "find", {Phase.DECODE: 100 - 30 * repeat}, repeat=repeat)
        for arm in plan.arms
        for repeat in range(3)
    ]
    assert {(seen.arm, seen.repeat) for seen in comparable(asked, plan.cached)} == {
        (arm.name, 0) for arm in plan.arms
    }


def test_an_arm_that_found_its_prompt_in_anothers_cache_is_not_compared() -> None:
    plan = build_plan((ARMS[0], CACHED_DRAFT), blocks=1, queries=("find",))
    shared = {"server_start": "one"}
    asked = [
        build_observation(arm.name, 0, "find", {Phase.DECODE: 100}, repeat=place, seen=shared)
        for place, arm in enumerate(plan.arms)
    ]
    assert [seen.arm for seen in comparable(asked, plan.cached)] == [BATCHED]


def test_without_the_cache_every_asking_counts_by_its_mean() -> None:
    arm = ARMS[3].name
    asked = [
        build_observation(arm, 0, "find", {Phase.DECODE: ms}, repeat=i) for i, ms in enumerate((100, 300))
    ]
    counted = comparable(asked, build_plan(blocks=1, repeats=2, queries=("find",)).cached)
    assert [item.values for item in pair(counted, (arm,), wall_ns).pairs] == [(200 * MS,)]


def test_decode_is_unknown_where_generation_is_not_split() -> None:
    whole = build_observation(BATCHED, 0, "find", {Phase.MODEL: 100})
    assert (whole.decode_ns, whole.prefill_ns) == (None, None)
    assert pair([whole], (BATCHED,), decode_ns).censored == 1


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        (_interval(1.2, 1.3), Verdict.YES),
        (_interval(1.1, 1.199), Verdict.NO),
        (_interval(1.1, 1.2), Verdict.UNDECIDED),
        (None, Verdict.UNDECIDED),
    ],
)
def test_the_whole_interval_decides(interval: Interval | None, verdict: Verdict) -> None:
    assert judge(interval, 1.2) is verdict


def test_the_best_is_held_to_the_shared_level_and_all_to_their_own() -> None:
    best = best_of([_up("a", 1.30, 0.08, 0.12), _up("b", 1.26, 0.02, 0.03)])
    assert best is not None
    assert best.speed_up.arm == "a"
    assert best.interval is not None
    assert best.interval.low == pytest.approx(1.23)
    assert best.interval.high == pytest.approx(1.38)
    assert best.verdict(THRESHOLD) is Verdict.YES


def test_an_arm_without_an_interval_leaves_the_best_open() -> None:
    best = best_of([_up("a", 1.5, 0.05, 0.1), replace(_up("b", 1.0, 0.1, 0.1), interval=None, shared=None)])
    assert best is not None
    assert best.interval is None
    assert best.verdict(THRESHOLD) is Verdict.UNDECIDED


def test_identical_arms_that_differ_widen_the_interval() -> None:
    alone = best_of([_up("a", 1.3, 0.05, 0.05)])
    moved = best_of([_up("a", 1.3, 0.05, 0.05)], same_again=_up("aa", 1.1, 0.05, 0.05))
    steady = best_of([_up("a", 1.3, 0.05, 0.05)], same_again=_up("aa", 1.02, 0.05, 0.05))
    assert alone is not None
    assert moved is not None
    assert moved.interval is not None
    assert moved.moved_by == pytest.approx(1.1)
    assert moved.interval.low == pytest.approx(1.25 / 1.1)
    assert alone == steady


def test_how_many_blocks_would_decide_grows_with_the_width() -> None:
    near, wide = (best_of([_up("a", 1.25, width, width)]) for width in (0.06, 0.12))
    assert near is not None
    assert wide is not None
    assert 5 < (blocks_needed(near, THRESHOLD) or 0) < (blocks_needed(wide, THRESHOLD) or 0)


def _simulated(planted: float) -> Counter[Verdict]:
    quiet = speculative_rates.NOISES[0]
    return speculative_rates.simulate(quiet, planted, blocks=8, repeats=1, runs=12, seed=3)[0]


@pytest.mark.parametrize(("planted", "right"), [(1.0, Verdict.NO), (1.6, Verdict.YES)])
def test_planted_speed_ups_far_from_the_threshold_are_found(planted: float, right: Verdict) -> None:
    assert _simulated(planted)[right] >= 11


def test_a_speed_up_on_the_threshold_is_mostly_undecided() -> None:
    assert _simulated(1.2)[Verdict.UNDECIDED] >= 9


def test_the_simulation_asks_in_every_arm() -> None:
    made = speculative_rates.measurements(speculative_rates.NOISES[0], 1.3, 2, 1, random.Random(1))  # noqa: S311
    assert {seen.arm for seen in made.observations} == {arm.name for arm in made.plan.arms}
