"""Which query is asked when: the order of a run, made before anything starts."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from punie.trace.analysis.records import PlannedQuery

if TYPE_CHECKING:
    from punie.trace.workload.suite import Suite


def plan_queries(suite: Suite, *, repeats: int, server_starts: int, seed: int) -> tuple[PlannedQuery, ...]:
    """Every query `repeats` times in each of `server_starts`; each repeat is a whole pass in an order of its own.

    Shuffled by `seed`, so that a query's place among its neighbours (and what the prompt cache still holds
    of them) isn't the same every time.
    """
    order = random.Random(seed)  # noqa: S311 # a reproducible order, not a secret
    planned: list[PlannedQuery] = []
    for start in range(server_starts):
        position = 0
        for repeat in range(repeats):
            for query in order.sample(suite.queries, len(suite.queries)):
                planned.append(
                    PlannedQuery(query_id=query.id, repeat=repeat, server_start=start, position=position)
                )
                position += 1
    return tuple(planned)
