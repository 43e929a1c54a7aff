"""What was asked of the model on both sides: more tokens are another finding than slower tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from punie.trace.analysis.comparison.sides import Side
from punie.trace.analysis.records import QueryRecord

_COUNTS: Final[tuple[tuple[str, Callable[[QueryRecord], int | None]], ...]] = (
    ("model requests", lambda record: record.model_requests),
    ("tool calls", lambda record: record.tool_calls),
    ("input tokens", lambda record: record.input_tokens),
    ("cached tokens", lambda record: record.cached_tokens),
    ("output tokens", lambda record: record.output_tokens),
)


@dataclass(frozen=True, slots=True)
class TokenChange:
    """The mean count a query (each query the mean of its answers); None where any answer doesn't tell it."""

    name: str
    a: float | None
    b: float | None


def token_changes(a: Side, b: Side, queries: Sequence[str]) -> tuple[TokenChange, ...]:
    """The counts over `queries`, the same on both sides; empty without queries."""
    if not queries:
        return ()
    return tuple(
        TokenChange(name, _mean(a.answers, queries, count), _mean(b.answers, queries, count))
        for name, count in _COUNTS
    )


def _mean(
    records: Sequence[QueryRecord], queries: Sequence[str], count: Callable[[QueryRecord], int | None]
) -> float | None:
    means = []
    for query in queries:
        values = [count(record) for record in records if record.query_id == query]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        if known:  # a query of the other side alone, where nothing is paired
            means.append(sum(known) / len(known))
    return sum(means) / len(means) if means else None
