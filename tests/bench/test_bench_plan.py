"""The order of a benchmark: balanced, and the same again from the plan alone."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from punie.trace.analysis.experiment.arms import PromptCache
from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.bench.documents import decode_plan
from punie.trace.bench.options import BenchOptions
from punie.trace.bench.plan import balanced_orders, plan_cells, planned_queries
from punie.trace.bench.plan_options import merge_options
from punie.trace.bench.runtime import Runtime, request_fields
from punie.trace.bench.servers import server_config
from punie.trace.bench.speculative_plan import make_plan
from punie.trace.errors import InputError
from punie.trace.machine.environment import Environment
from punie.trace.store.documents import encode
from punie.trace.workload.suite import Suite, SuiteQuery, default_suite


def plan_of(**given: Any) -> ExperimentPlan:  # noqa: ANN401 # fields of BenchOptions
    return make_plan(
        merge_options(BenchOptions(**given), given), default_suite(), "bench", Environment("now", {}, {})
    )


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
def test_each_item_stands_in_each_place_and_after_each_other_equally_often(count: int) -> None:
    rows = balanced_orders(range(count), random.Random(1))  # noqa: S311
    places = Counter((place, item) for row in rows for place, item in enumerate(row))
    follows = Counter(pair for row in rows for pair in pairwise(row))
    assert all(sorted(row) == list(range(count)) for row in rows)
    assert len(set(places.values())) == 1
    assert len(set(follows.values())) <= 1
    assert len(follows) == count * (count - 1)


def test_every_block_starts_every_server_once() -> None:
    cells = plan_cells(plan_of(blocks=3))
    groups = {"batched", "batched-aa", "sequential", "draft0"}
    for block in range(3):
        assert {cell.group for cell in cells if cell.block == block} == groups
    assert [cell.number for cell in cells] == list(range(12))


def test_arms_with_the_cache_on_have_servers_of_their_own() -> None:
    cells = plan_cells(plan_of(blocks=1, draft_cache="both", k=(2, 3), repeat=1))
    by_group = {cell.group: [arm.name for arm in cell.arms] for cell in cells}
    assert by_group["draft0"] == ["draft0-k2", "draft0-k3"]
    assert by_group["draft0-k2-cache"] == ["draft0-k2-cache"]
    assert all(len({arm.server.prompt_cache for arm in cell.arms}) == 1 for cell in cells)


def test_two_drafts_are_one_more_factor() -> None:
    names = {arm.name for arm in plan_of(draft=("demo", "mlx/other"), k=(2, 3)).arms}
    assert {"draft0-k2", "draft0-k3", "draft1-k2", "draft1-k3"} < names


def test_inside_a_server_every_query_is_asked_at_every_k_before_the_next_one() -> None:
    plan = plan_of(blocks=2, repeat=2)
    for cell in plan_cells(plan):
        asks = list(planned_queries(plan, cell))
        assert [ask.planned.position for ask in asks] == list(range(len(asks)))
        count = len(cell.arms)
        for start in range(0, len(asks), count):
            together = asks[start : start + count]
            assert {ask.arm.name for ask in together} == {arm.name for arm in cell.arms}
            assert len({(ask.planned.query_id, ask.planned.repeat) for ask in together}) == 1
        firsts = Counter(asks[start].arm.name for start in range(0, len(asks), count))
        assert max(firsts.values()) - min(firsts.values()) <= 2


def test_servers_of_a_block_ask_in_the_same_order() -> None:
    plan = plan_of(blocks=1)
    orders = {
        tuple(dict.fromkeys(ask.planned.query_id for ask in planned_queries(plan, cell)))
        for cell in plan_cells(plan)
    }
    assert len(orders) == 1


def test_the_order_follows_from_the_file_and_changes_with_the_seed() -> None:
    plan = plan_of(seed=3)
    again = decode_plan(encode(plan), "bench.json")
    assert plan_cells(again) == plan_cells(plan)
    assert [cell.group for cell in plan_cells(plan_of(seed=4))] != [cell.group for cell in plan_cells(plan)]


def test_requests_say_how_they_are_to_be_served() -> None:
    plan = plan_of(k=(4,))
    always = {"max_tokens": 1024, "temperature": 0.0}
    assert request_fields(plan.arm("batched").request) == always
    assert request_fields(plan.arm("sequential").request) == always | {"seed": 0}
    drafted = always | {"extra_body": {"num_draft_tokens": 4}}
    assert request_fields(plan.arm("draft0-k4").request) == drafted
    draft = next(cell for cell in plan_cells(plan) if cell.draft is not None)
    assert draft.cache is PromptCache.OFF
    assert server_config(draft).prompt_cache_size == 0


def test_a_suite_that_changed_since_is_refused() -> None:
    changed = Suite("discrimination", 99, tuple[SuiteQuery, ...](default_suite().queries))
    plan = make_plan(BenchOptions(), changed, "bench", Environment("now", {}, {}))
    with pytest.raises(InputError, match="has changed"):
        Runtime.of(plan)
