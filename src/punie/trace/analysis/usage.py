"""What a model request says of itself: tokens, first chunk, why it ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from punie.trace import semconv
from punie.trace.analysis.roles import Role
from punie.trace.analysis.surroundings import Below, Surroundings
from punie.trace.analysis.tree import SpanKey
from punie.trace.model import Span

_NS_PER_SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums over the model requests of a query; None where one of them doesn't tell."""

    model_requests: int
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    time_to_first_chunk_ns: tuple[int, ...]
    truncated: int


def is_model_request(around: Surroundings, key: SpanKey) -> bool:
    """Whether a span is one request to a model: a `chat` span that only wraps others is none.

    Server spans are none either: their usage is the same tokens again.
    """
    return around.role[key] is Role.CHAT and Below.CHAT not in around.below[key]


def usage_of(requests: Sequence[Span]) -> Usage:
    """The sums over the model requests of one query."""
    return Usage(
        model_requests=len(requests),
        input_tokens=_total(requests, semconv.INPUT_TOKENS),
        cached_tokens=_total(requests, semconv.CACHED_TOKENS),
        output_tokens=_total(requests, semconv.OUTPUT_TOKENS),
        time_to_first_chunk_ns=tuple(_first_chunks_ns(requests)),
        truncated=sum(1 for span in requests if is_truncated(span)),
    )


def lacks_usage(span: Span) -> bool:
    """Whether a model request doesn't say how many tokens went in or came out."""
    return (
        semconv.integer(span.attributes, semconv.INPUT_TOKENS) is None
        or semconv.integer(span.attributes, semconv.OUTPUT_TOKENS) is None
    )


def is_truncated(span: Span) -> bool:
    """Whether a model request ended by its token limit."""
    reasons = semconv.first(span.attributes, semconv.FINISH_REASONS)
    if isinstance(reasons, str):
        return reasons in semconv.FINISH_TRUNCATED
    return isinstance(reasons, Sequence) and any(reason in semconv.FINISH_TRUNCATED for reason in reasons)


def _total(requests: Sequence[Span], names: tuple[str, ...]) -> int | None:
    counts = [semconv.integer(span.attributes, names) for span in requests]
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def _first_chunks_ns(requests: Iterable[Span]) -> Iterable[int]:
    """The convention's seconds as nanoseconds."""
    for span in requests:
        seconds = semconv.first(span.attributes, semconv.TIME_TO_FIRST_CHUNK)
        if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < float("inf"):
            yield round(seconds * _NS_PER_SECOND)
