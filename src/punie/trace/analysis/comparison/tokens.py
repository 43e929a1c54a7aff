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
    """The mean count a query (each query the mean of its answers); None where any answer doesn't report it."""

    name: str
    a: float | None
    b: float | None


def token_changes(a: Side, b: Side, queries: Sequence[str]) -> tuple[TokenChange, ...]:
    """The counts over `queries`, the same on both sides; empty without queries."""
    if not queries:
        return ()
    of_a, of_b = _by_query(a, queries), _by_query(b, queries)
    return tuple(TokenChange(name, _mean(of_a, count), _mean(of_b, count)) for name, count in _COUNTS)


def _by_query(side: Side, queries: Sequence[str]) -> Sequence[Sequence[QueryRecord]]:
    """The answers to each of `queries`: empty for one of the other side alone, where nothing is paired."""
    records_of: dict[str, list[QueryRecord]] = {query: [] for query in queries}
    for record in side.answers:
        if record.query_id in records_of:
            records_of[record.query_id].append(record)
    return list(records_of.values())


def _mean(
    of_queries: Sequence[Sequence[QueryRecord]], count: Callable[[QueryRecord], int | None]
) -> float | None:
    means = []
    for records in of_queries:
        values = list(map(count, records))
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        if known:
            means.append(sum(known) / len(known))
    return sum(means) / len(means) if means else None
