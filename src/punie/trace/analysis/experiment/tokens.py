"""How many tokens the queries of an arm read and wrote."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from punie.trace.analysis.experiment.observation import Observation
from punie.trace.analysis.records import QueryRecord


@dataclass(frozen=True, slots=True)
class TokenUse:
    """Means a query, over all executions; None where a query's count is not known.

    `cached` are those of `prompt` that came from the prompt cache.
    """

    output: float | None
    prompt: float | None
    cached: float | None
    requests: float | None


def token_use(observations: Sequence[Observation], arm: str) -> TokenUse:
    """What the queries of `arm` took."""
    records = [seen.record for seen in observations if seen.arm == arm]
    return TokenUse(
        output=_mean(records, lambda record: record.output_tokens),
        prompt=_mean(records, lambda record: record.input_tokens),
        cached=_mean(records, lambda record: record.cached_tokens),
        requests=_mean(records, lambda record: record.model_requests),
    )


def _mean(records: Sequence[QueryRecord], count: Callable[[QueryRecord], int | None]) -> float | None:
    values = [value for record in records if (value := count(record)) is not None]
    return math.fsum(values) / len(values) if values and len(values) == len(records) else None
