"""Which checkpoint of a training is kept: no answer lost first, fewest tokens second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What one adapter did on the validation queries.

    lost: queries that the base had right in every execution and the adapter had wrong in one.
    output_tokens: mean of a query.
    """

    name: str
    seed: int
    iteration: int
    right: int
    asked: int
    lost: tuple[str, ...]
    output_tokens: float | None


def best_checkpoint(checkpoints: Sequence[Checkpoint]) -> Checkpoint | None:
    """The one that lost the fewest answers; of those the one with the fewest output tokens, then the earliest."""

    def rank(one: Checkpoint) -> tuple[int, float, int, int]:
        tokens = float("inf") if one.output_tokens is None else one.output_tokens
        return len(one.lost), tokens, one.iteration, one.seed

    return min(checkpoints, key=rank, default=None)
