"""What a model request says of itself: tokens, first chunk, why it ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from punie.trace import semconv
from punie.trace.analysis.calls.finish_reasons import ended_by_limit
from punie.trace.analysis.foreign.agents import with_conventions
from punie.trace.analysis.queries.surroundings import Below, Surroundings
from punie.trace.analysis.trees.roles import Role, role_of
from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.model import Span

_NS_PER_SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of one model request: of its prompt, of those taken from the prompt cache, produced. None: not told."""

    input: int | None
    cached: int | None
    output: int | None


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

    A server's span is one where no client tells of a model call (`serve` alone); else its usage is the same again.
    """
    return key in around.lone or (around.role[key] is Role.CHAT and Below.CHAT not in around.below[key])


def token_counts(chat: Span, servers: Sequence[Span], *, cache_arm: str | None) -> TokenCounts:
    """The counts of one request: `servers` are the server spans below it, by their start, the last attempt last.

    How much was cached the server knows best, so its own count goes first. A client that leaves zeros out
    (PydanticAI does) tells nothing of a request without cached tokens; from a server that `run` started, which
    always tells, that silence means 0. From an unknown server it stays unknown.
    """
    told = (*reversed(servers), chat)
    cached = _first_count(told, semconv.CACHED_TOKENS)
    counts = TokenCounts(
        input=_first_count((chat, *reversed(servers)), semconv.INPUT_TOKENS),
        cached=cached,
        output=_first_count((chat, *reversed(servers)), semconv.OUTPUT_TOKENS),
    )
    silence_is_zero = cached is None and counts.input is not None and cache_arm in semconv.CACHE_ARMS_OF_RUN
    return replace(counts, cached=0) if silence_is_zero else counts


def models_asked(spans: Iterable[Span]) -> tuple[str, ...]:
    """The models that requests name, whoever made their spans; sorted."""
    chats = (span for span in with_conventions(spans) if role_of(span) is Role.CHAT)
    names = (semconv.text(span.attributes, (semconv.REQUEST_MODEL, semconv.RESPONSE_MODEL)) for span in chats)
    return tuple(sorted({name for name in names if name}))


def usage_of(requests: Sequence[Span], counts: Sequence[TokenCounts]) -> Usage:
    """The sums over the model requests of one query: their spans and, in any order, their counts."""
    return Usage(
        model_requests=len(requests),
        input_tokens=_total([count.input for count in counts]),
        cached_tokens=_total([count.cached for count in counts]),
        output_tokens=_total([count.output for count in counts]),
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
    return ended_by_limit(semconv.first(span.attributes, semconv.FINISH_REASONS))


def _first_count(spans: Iterable[Span], names: tuple[str, ...]) -> int | None:
    counts = (semconv.integer(span.attributes, names) for span in spans)
    return next((count for count in counts if count is not None), None)


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def _first_chunks_ns(requests: Iterable[Span]) -> Iterable[int]:
    """The convention's seconds as nanoseconds."""
    for span in requests:
        seconds = semconv.first(span.attributes, semconv.TIME_TO_FIRST_CHUNK)
        if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < float("inf"):
            yield round(seconds * _NS_PER_SECOND)
