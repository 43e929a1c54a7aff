"""What the prompt cache saved, turn by turn, and the bill for what it missed: tokens read before and read again.

A server can take the start of a prompt from its cache if it has read the same start before. Which start that
is, the digests of the messages show (`prefixes`), and how many tokens it has is known where the server counts each
message's, and in the first two cases:

| shared from the start | fewest | most |
| --- | --- | --- |
| the whole list of an earlier request | that request's prompt tokens | the same |
| all of this request's list | its prompt tokens, less the one that every request has to read | the same |
| a part of both lists, counted | the tokens of its messages | the same |
| a part, not counted | prompt tokens of the longest whole list in it, else 0 | the shortest prompt with that part |
| a part, and later messages in common too | as above | the earlier request's prompt tokens |
| nothing, but the same agent asked before | 0 | that earlier request's prompt tokens |

(An earlier prompt ends with the template's opening of an answer; a later one has that opening before the answer.)
Those tokens minus the cached ones were read again. A server also keeps the tokens that it generated; they were
never read, so they are not on the bill. Where the two bounds differ the bill says both. A request is a miss if
something was read again for certain, if nothing at all came from the cache although the start is shared, or if
its very first message (instructions and tools) differs from what its agent sent before. A request that shares a
part that nobody counted and took tokens from the cache is none: the cache did its work, and how much of the part is
left isn't known.

What the misses cost is their share of the same request's own measured prefill: read again / not cached. Without a
span for the prefill it isn't known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from punie.trace.analysis.cache.prefixes import Prefix, longest_prefixes
from punie.trace.analysis.queries.requests import MessageList, ModelRequest
from punie.trace.model import Provenance


class MessageDifference(msgspec.Struct, frozen=True):
    """The first message that differs, None where that list ends before it or nobody wrote lengths.

    `message` is its place in the list (0: instructions and tools), the others its length in characters before
    and now.
    """

    message: int
    earlier_length: int | None
    length: int | None


class Miss(msgspec.Struct, frozen=True):
    """Tokens of one request that its server had read before and read again, and what that cost.

    `earlier_trace_id` and `earlier_span_id` are the request that read them before. `messages_shared` counts from the
    start. `difference` is None if no message differs: the cache was off or had dropped it, or the chat template
    writes the same messages otherwise. The nanoseconds are None where the prefill isn't known apart.
    """

    earlier_trace_id: str
    earlier_span_id: str
    earlier_query_id: str
    earlier_turn: int
    messages_shared: int
    difference: MessageDifference | None
    least_tokens: int
    most_tokens: int
    least_ns: int | None
    most_ns: int | None


class CachedTurn(msgspec.Struct, frozen=True):
    """One model request of an asked query: how much of its prompt was cached. `turn` counts from 0 in its query.

    Tokens are None where nobody reported them, `prefill_ns` where no span separates prefill. `judged` is False where
    counts or digests are missing: then no miss could have been found.
    """

    query_id: str
    trace_id: str
    span_id: str
    repeat: int
    server_start: int
    turn: int
    input_tokens: int | None
    cached_tokens: int | None
    prefill_ns: int | None
    prefill_known: Provenance | None
    judged: bool
    miss: Miss | None


class TurnTotal(msgspec.Struct, frozen=True):
    """All requests of one turn. Sums; None where one of them is not known."""

    turn: int
    requests: int
    input_tokens: int | None
    cached_tokens: int | None
    prefill_ns: int | None
    misses: int


class CacheBill(msgspec.Struct, frozen=True):
    """The prompt cache's effect on the asked queries (failed ones too: the server worked for them, warm-up not).

    `requests` are by their start, `turns` by their number. The tokens and nanoseconds are sums over the misses;
    nanoseconds are None where one of them is. `reasons` say what the bill doesn't cover, and why.
    """

    requests: tuple[CachedTurn, ...]
    turns: tuple[TurnTotal, ...]
    misses: int
    least_tokens: int
    most_tokens: int
    least_ns: int | None
    most_ns: int | None
    reasons: tuple[str, ...]


def cache_bill(requests: Sequence[ModelRequest]) -> CacheBill:
    """The bill of `requests`, warm-up among them: what a warm-up made a server read counts as read before."""
    entries = tuple(
        _entry(request, prefix) for request, prefix in longest_prefixes(requests) if not request.warmup
    )
    misses = [entry.miss for entry in entries if entry.miss is not None]
    return CacheBill(
        requests=entries,
        turns=tuple(_turn_totals(entries)),
        misses=len(misses),
        least_tokens=sum(miss.least_tokens for miss in misses),
        most_tokens=sum(miss.most_tokens for miss in misses),
        least_ns=_sum_if_known([miss.least_ns for miss in misses]),
        most_ns=_sum_if_known([miss.most_ns for miss in misses]),
        reasons=tuple(_reasons([request for request in requests if not request.warmup], misses)),
    )


def _entry(request: ModelRequest, prefix: Prefix | None) -> CachedTurn:
    tokens = request.tokens
    judged = request.has_messages and tokens.input is not None and tokens.cached is not None
    return CachedTurn(
        query_id=request.query_id,
        trace_id=request.trace_id,
        span_id=request.span_id,
        repeat=request.repeat,
        server_start=request.server_start,
        turn=request.turn,
        input_tokens=tokens.input,
        cached_tokens=tokens.cached,
        prefill_ns=request.prefill_ns,
        prefill_known=request.prefill_known,
        judged=judged,
        miss=_miss(request, prefix) if prefix is not None and judged else None,
    )


def _miss(request: ModelRequest, prefix: Prefix) -> Miss | None:
    input_tokens, cached = request.tokens.input, request.tokens.cached
    if input_tokens is None or cached is None:
        return None
    least, most = (max(0, bound - cached) for bound in _reusable(request, prefix, input_tokens))
    read_again = least > 0 or _common_behind(prefix) > 0
    if not most or not (read_again or cached == 0 or prefix.messages == 0):
        return None
    return Miss(
        earlier_trace_id=prefix.earlier.trace_id,
        earlier_span_id=prefix.earlier.span_id,
        earlier_query_id=prefix.earlier.query_id,
        earlier_turn=prefix.earlier.turn,
        messages_shared=prefix.messages,
        difference=_difference(prefix),
        least_tokens=least,
        most_tokens=most,
        least_ns=_cost_ns(request, least, input_tokens - cached),
        most_ns=_cost_ns(request, most, input_tokens - cached),
    )


def _reusable(request: ModelRequest, prefix: Prefix, input_tokens: int) -> tuple[int, int]:
    """The fewest and the most tokens that could have come from the cache, by the table above."""
    readable = input_tokens - 1
    earlier_tokens = prefix.earlier.tokens.input or 0
    if prefix.messages == len(prefix.now.digests):
        return readable, readable
    counted = _counted(prefix)
    least = min(max(prefix.whole_tokens, counted or 0), readable)
    if _common_behind(prefix) or not prefix.messages:
        return least, max(least, min(earlier_tokens, readable))
    if prefix.is_whole or counted is not None:
        return least, least
    return least, max(least, min(prefix.least_tokens, readable))


def _counted(prefix: Prefix) -> int | None:
    """The tokens of the shared messages, if both requests report the same."""
    at = prefix.messages - 1
    now, before = (
        messages.tokens[at] if 0 <= at < len(messages.tokens) else None
        for messages in (prefix.now, prefix.before)
    )
    return now if now == before else None


def _common_behind(prefix: Prefix) -> int:
    """How many messages behind the first difference the earlier request had as well."""
    at = prefix.messages
    return (Counter(prefix.now.digests[at:]) & Counter(prefix.before.digests[at:])).total()


def _difference(prefix: Prefix) -> MessageDifference | None:
    at = prefix.messages
    if prefix.is_whole and not _common_behind(prefix):
        return None
    if at == len(prefix.now.digests) or at == len(prefix.before.digests):
        return None
    return MessageDifference(at, _length(prefix.before, at), _length(prefix.now, at))


def _length(messages: MessageList, at: int) -> int | None:
    return messages.lengths[at] if at < len(messages.lengths) else None


def _cost_ns(request: ModelRequest, tokens: int, uncached: int) -> int | None:
    """The share of this request's prefill that `tokens` of its `uncached` ones took."""
    if tokens == 0:
        return 0
    if request.prefill_ns is None or uncached <= 0:
        return None
    return request.prefill_ns * min(tokens, uncached) // uncached


def _turn_totals(entries: Sequence[CachedTurn]) -> Iterator[TurnTotal]:
    for turn in sorted({entry.turn for entry in entries}):
        own = [entry for entry in entries if entry.turn == turn]
        yield TurnTotal(
            turn=turn,
            requests=len(own),
            input_tokens=_sum_if_known([entry.input_tokens for entry in own]),
            cached_tokens=_sum_if_known([entry.cached_tokens for entry in own]),
            prefill_ns=_sum_if_known([entry.prefill_ns for entry in own]),
            misses=sum(1 for entry in own if entry.miss is not None),
        )


def _sum_if_known(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _reasons(requests: Sequence[ModelRequest], misses: Sequence[Miss]) -> Iterator[str]:
    silent = sum(1 for request in requests if request.tokens.input is None or request.tokens.cached is None)
    if silent:
        yield f"{silent} of {len(requests)} model requests lack the count of prompt or cached tokens"
    bare = sum(1 for request in requests if not request.has_messages)
    if bare:
        yield f"{bare} of {len(requests)} model requests have no message digests"
    untimed = sum(1 for miss in misses if miss.most_ns is None)
    if untimed:
        yield f"{untimed} of {len(misses)} misses are in requests without a span for their prefill"
