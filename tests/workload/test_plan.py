"""The order of a run."""

from __future__ import annotations

from collections import Counter

from punie.trace.workload.plan import plan_queries
from punie.trace.workload.suite import default_suite

SUITE = default_suite()


def test_every_query_comes_up_in_every_pass() -> None:
    planned = plan_queries(SUITE, repeats=3, server_starts=2, seed=1)
    assert Counter((p.query_id, p.repeat, p.server_start) for p in planned) == {
        (query.id, repeat, start): 1 for query in SUITE.queries for repeat in range(3) for start in range(2)
    }
    for start in range(2):
        assert [p.position for p in planned if p.server_start == start] == list(range(15))


def test_the_seed_decides_the_order() -> None:
    orders = [
        [p.query_id for p in plan_queries(SUITE, repeats=4, server_starts=1, seed=s)] for s in (1, 1, 2)
    ]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    passes = {tuple(orders[0][i : i + 5]) for i in range(0, 20, 5)}
    assert len(passes) > 1  # each pass is shuffled by itself
