"""A model's own answers to one query, and which of them is worth imitating: the shortest that is right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One execution of a query, from the question to the answer.

    place: where its spans are, unique among the executions of one training.
    is_right: by the strict score, answered in full.
    output_tokens: over all turns, None where a turn doesn't report it.
    """

    query_id: str
    place: str
    is_right: bool
    output_tokens: int | None


def shortest_right(trajectories: Iterable[Trajectory]) -> Mapping[str, Trajectory]:
    """By query the right trajectory with the fewest output tokens, of equals the first.

    Queries without a right one, or whose tokens aren't known, have none: nothing is made up for them.
    """
    best: dict[str, Trajectory] = {}
    for one in trajectories:
        if not one.is_right or one.output_tokens is None:
            continue
        other = best.get(one.query_id)
        if other is None or one.output_tokens < (other.output_tokens or 0):
            best[one.query_id] = one
    return best
