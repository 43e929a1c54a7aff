"""The bill for cache misses, by hand: what was read again, what it cost, and which message differs."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec import structs
from msgspec.structs import replace

from punie.trace import semconv
from punie.trace.analysis.cache.bill import CacheBill, MessageDifference, Miss, TurnTotal, cache_bill
from punie.trace.analysis.calls.usage import TokenCounts
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.queries.requests import MessageList, ModelRequest
from punie.trace.model import Attributes, Provenance, Span, SpanKind, SpanSet

T: Final = "a" * 32
LENGTH: Final = {"P": 600, "U": 40, "V": 44, "A": 50, "T": 900, "t": 90, "B": 70}


def asked(
    messages: str,
    tokens: int,
    cached: int | None,
    *,
    at: int,
    query: str = "one",
    turn: int = 0,
    prefill_ns: int | None = 1_000,
    **fields: Any,  # noqa: ANN401 - fields of ModelRequest
) -> ModelRequest:
    """A request that lasts from `at` for 5 ns; each letter of `messages` is one message."""
    defaults: dict[str, Any] = {
        "query_key": query,
        "query_id": query,
        "trace_id": T,
        "span_id": f"{query}{turn}",
        "warmup": False,
        "repeat": 0,
        "server_start": 0,
        "server": "s",
        "agent": "assistant",
        "end_ns": at + 5,
        "prefill_known": Provenance.SERVER,
    }
    return ModelRequest(
        turn=turn,
        start_ns=at,
        tokens=TokenCounts(tokens, cached, 10),
        prefill_ns=prefill_ns,
        client_messages=MessageList(tuple(messages), tuple(LENGTH[m] for m in messages)),
        **(defaults | fields),
    )


def misses(*requests: ModelRequest) -> list[Miss | None]:
    return [entry.miss for entry in cache_bill(requests).requests]


def bounds(*requests: ModelRequest) -> tuple[int, int] | None:
    """Of the last request."""
    miss = misses(*requests)[-1]
    return None if miss is None else (miss.least_tokens, miss.most_tokens)


def test_nothing() -> None:
    assert cache_bill([]) == CacheBill((), (), 0, 0, 0, 0, 0, ())


def test_a_second_turn_that_reads_the_first_again() -> None:
    first = asked("PU", 100, 0, at=0)
    second = asked("PUAT", 400, 0, at=10, turn=1, prefill_ns=8_000)
    found = cache_bill([second, first])
    miss = Miss(
        earlier_trace_id=T,
        earlier_span_id="one0",
        earlier_query_id="one",
        earlier_turn=0,
        messages_shared=2,
        difference=None,
        least_tokens=100,
        most_tokens=100,
        least_ns=2_000,  # a quarter of its 400 tokens
        most_ns=2_000,
    )
    assert [entry.miss for entry in found.requests] == [None, miss]
    assert found.turns == (TurnTotal(0, 1, 100, 0, 1_000, 0), TurnTotal(1, 1, 400, 0, 8_000, 1))
    assert (found.misses, found.least_tokens, found.most_tokens) == (1, 100, 100)
    assert (found.least_ns, found.most_ns, found.reasons) == (2_000, 2_000, ())


def test_only_what_was_not_cached_was_read_again() -> None:
    first = asked("PU", 100, 0, at=0)
    assert bounds(first, asked("PUAT", 400, 70, at=10)) == (30, 30)
    assert bounds(first, asked("PUAT", 400, 100, at=10)) is None
    assert bounds(first, asked("PUAT", 400, 130, at=10)) is None  # the answer it generated was cached as well


def test_the_same_prompt_again_always_reads_one_token() -> None:
    first = asked("PU", 100, 0, at=0)
    assert bounds(first, asked("PU", 100, 99, at=10, query="two")) is None
    assert bounds(first, asked("PU", 100, 0, at=10, query="two")) == (99, 99)


def test_a_prompt_that_is_the_beginning_of_an_earlier_one() -> None:
    assert bounds(asked("PUAT", 400, 0, at=0), asked("PU", 100, 40, at=10)) == (59, 59)


def test_a_part_in_common_is_a_bound_and_no_miss_once_the_cache_was_used() -> None:
    first = asked("PU", 100, 0, at=0)
    longer = asked("PUAT", 400, 120, at=10, turn=1)
    other = asked("PV", 105, 0, at=20, query="two")
    assert bounds(first, longer, other) == (0, 100)  # PU is the shortest prompt that has P
    miss = misses(first, longer, other)[-1]
    assert miss is not None
    assert (miss.messages_shared, miss.difference) == (1, MessageDifference(1, 40, 44))
    assert (miss.least_ns, miss.most_ns) == (0, 952)
    assert bounds(first, longer, replace(other, tokens=TokenCounts(105, 80, 10))) is None


COUNTED: Final = {"P": 60, "U": 10, "V": 12, "A": 20, "T": 280, "t": 40, "B": 30}


def counted(request: ModelRequest, *, unknown: str = "") -> ModelRequest:
    """The same with the server's list: its own digests, and tokens, but where `unknown` messages end."""
    total, tokens = 0, list[int | None]()
    for message in request.client_messages.digests:
        total += COUNTED[message]
        tokens.append(None if message in unknown else total)
    digests = tuple(f"{message} served" for message in request.client_messages.digests)
    return replace(
        request, server_messages=MessageList(digests, request.client_messages.lengths, tuple(tokens))
    )


def test_a_part_in_common_is_exact_where_the_server_counted_it() -> None:
    first = counted(asked("PU", 75, 0, at=0))
    other = counted(asked("PV", 77, 0, at=10, query="two"))
    assert bounds(first, other) == (60, 60)
    assert bounds(first, replace(other, tokens=TokenCounts(77, 45, 10))) == (15, 15)  # the cache did a part
    assert (
        bounds(first, replace(other, tokens=TokenCounts(77, 62, 10))) is None
    )  # and more than whole messages
    assert bounds(first, counted(other, unknown="P")) == (0, 75)


def test_counts_that_differ_for_the_same_messages_are_no_counts() -> None:
    first = counted(asked("PU", 75, 0, at=0))
    other = counted(asked("PV", 77, 0, at=10, query="two"))
    assert bounds(first, replace(other, server_messages=replace(other.server_messages, tokens=(61, 73)))) == (
        0,
        75,
    )


def test_what_the_server_digested_is_not_held_against_what_the_client_did() -> None:
    first, other = asked("PU", 75, 0, at=0), asked("PV", 77, 0, at=10, query="two")
    assert bounds(first, counted(other)) == bounds(counted(first), other) == (0, 75)
    served_alone = [replace(counted(request), client_messages=MessageList()) for request in (first, other)]
    assert bounds(*served_alone) == (60, 60)
    assert bounds(first, served_alone[1]) is None  # nothing to compare, so nothing is said to have changed


def test_a_message_rewritten_in_the_history_is_named() -> None:
    first = asked("PU", 100, 0, at=0)
    second = asked("PUAT", 400, 110, at=10, turn=1)
    third = asked("PUAtBU", 300, 110, at=20, turn=2)
    assert (
        misses(first, second, third)[-1] is None
    )  # all of PU was cached, and nothing behind T was read before
    fourth = asked("PUATBU", 500, 400, at=30, turn=3)
    fifth = asked("PUAtBU", 300, 60, at=40, turn=4)
    miss = misses(first, second, fourth, fifth)[-1]
    assert miss is not None
    assert miss.difference == MessageDifference(3, 900, 90)
    assert (miss.messages_shared, miss.earlier_turn) == (3, 3)
    assert (miss.least_tokens, miss.most_tokens) == (
        40,
        239,
    )  # PU for certain; B and U at most all of the rest


def test_an_agent_whose_first_message_changes_shares_nothing_and_is_named() -> None:
    first = asked("PU", 100, 0, at=0)
    miss = misses(first, asked("BU", 90, 3, at=10, query="two"))[-1]
    assert miss is not None
    assert (miss.messages_shared, miss.difference) == (0, MessageDifference(0, 600, 70))
    assert (miss.least_tokens, miss.most_tokens) == (0, 86)
    assert misses(first, asked("BU", 90, 0, at=10, query="two", agent="another"))[-1] is None


def test_the_same_query_s_earlier_turn_goes_before_a_newer_stranger() -> None:
    mine = asked("PU", 100, 0, at=0)
    stranger = asked("VU", 50, 0, at=10, query="two")
    miss = misses(mine, stranger, asked("BU", 90, 0, at=20, turn=1))[-1]
    assert miss is not None
    assert (miss.earlier_query_id, miss.earlier_turn) == ("one", 0)


def test_only_what_the_same_server_had_answered_before_counts() -> None:
    first = asked("PU", 100, 0, at=0)
    later = asked("PU", 100, 0, at=10, query="two")
    assert bounds(first, later) == (99, 99)
    assert bounds(first, replace(later, start_ns=4)) is None  # both at once
    assert bounds(first, replace(later, server="other")) is None


def test_a_warm_up_is_read_before_and_not_on_the_bill() -> None:
    warm = asked("PU", 100, 0, at=0, query="warm-up", warmup=True)
    again = asked("PU", 100, 0, at=10, query="warm-up", warmup=True, turn=1)
    found = cache_bill([warm, again, asked("PU", 100, 0, at=20)])
    assert [(entry.query_id, entry.miss is None) for entry in found.requests] == [("one", False)]
    assert (found.misses, found.reasons) == (1, ())


def test_what_is_not_known_is_said_and_not_guessed() -> None:
    silent = asked("PU", 100, None, at=0)
    bare = replace(asked("PU", 100, 0, at=10), client_messages=MessageList())
    untimed = asked("PU", 100, 0, at=20, query="two", prefill_ns=None)
    found = cache_bill([silent, bare, untimed])
    assert [entry.judged for entry in found.requests] == [False, False, True]
    assert (found.misses, found.least_tokens, found.least_ns, found.most_ns) == (1, 99, None, None)
    assert found.turns == (TurnTotal(0, 3, 300, None, None, 1),)
    assert found.reasons == (
        "1 of 3 model requests lack the count of prompt or cached tokens",
        "1 of 3 model requests have no message digests",
        "1 of 1 misses are in requests without a span for their prefill",
    )


def test_the_cost_is_never_more_than_the_prefill() -> None:
    first = asked("PU", 100, 0, at=0)
    miss = misses(first, asked("BU", 100, 98, at=10, prefill_ns=7))[-1]
    assert miss is not None
    assert (miss.most_tokens, miss.most_ns) == (1, 3)
    assert misses(first, asked("PUAT", 100, 100, at=10, prefill_ns=7))[-1] is None


def _span(name: str, parent: str | None, start: int, end: int, said: Attributes, kind: int = 1) -> Span:
    return Span(T, name, parent, name, start, end, SpanKind(kind), said)


def _turn(number: int, start: int, digests: tuple[str, ...], cached: int) -> tuple[Span, ...]:
    chat: Attributes = {
        semconv.OPERATION: "chat",
        semconv.AGENT_NAME[0]: "assistant",
        semconv.INPUT_TOKENS[0]: 100 * (number + 1),
        semconv.MESSAGE_DIGESTS: digests,
        semconv.MESSAGE_LENGTHS: tuple(len(digest) for digest in digests),
    }
    phase: Attributes = {semconv.PHASE: "prefill", semconv.PHASE_PROVENANCE: "server"}
    return (
        _span(f"chat{number}", "query", start, start + 90, chat),
        _span(f"POST{number}", f"chat{number}", start + 1, start + 89, {"http.request.method": "POST"}, 3),
        _span(
            f"served{number}", f"POST{number}", start + 2, start + 88, {semconv.CACHED_TOKENS[0]: cached}, 2
        ),
        _span(f"prefill{number}", f"served{number}", start + 10, start + 50, phase),
    )


@pytest.mark.parametrize(("cached", "expected"), [(0, (100, 20)), (100, None)])
def test_from_spans_without_content(cached: int, expected: tuple[int, int] | None) -> None:
    root: Attributes = {semconv.QUERY_ID: "q", semconv.QUERY_REPEAT: 0, semconv.QUERY_SERVER_START: 0}
    spans = (
        _span("query", None, 0, 1000, root),
        *_turn(1, 200, ("p", "u", "a", "t"), cached),
        *_turn(0, 100, ("p", "u"), 0),
    )
    found = read_queries(SpanSet(spans))
    bill = cache_bill(found.requests)
    assert [(turn.turn, turn.cached_tokens, turn.prefill_ns) for turn in bill.turns] == [
        (0, 0, 40),
        (1, cached, 40),
    ]
    assert {entry.prefill_known for entry in bill.requests} == {Provenance.SERVER}
    miss = bill.requests[1].miss
    assert (None if miss is None else (miss.most_tokens, miss.most_ns)) == expected


def test_a_prefill_in_pieces_with_a_span_around_them_is_counted_once() -> None:
    root: Attributes = {semconv.QUERY_ID: "q", semconv.QUERY_REPEAT: 0, semconv.QUERY_SERVER_START: 0}
    phase: Attributes = {semconv.PHASE: "prefill", semconv.PHASE_PROVENANCE: "server"}
    spans = (
        _span("query", None, 0, 1000, root),
        *_turn(0, 100, ("p", "u"), 0),  # its prefill: 110 to 150
        _span("piece one", "prefill0", 110, 120, phase),
        _span("piece two", "prefill0", 130, 145, phase),
        _span("piece three", "served0", 160, 165, phase),
    )
    (request,) = cache_bill(read_queries(SpanSet(spans)).requests).requests
    assert request.prefill_ns == 45


def test_the_server_s_counts_are_read_from_its_span_of_the_last_attempt() -> None:
    root: Attributes = {semconv.QUERY_ID: "q", semconv.QUERY_REPEAT: 0, semconv.QUERY_SERVER_START: 0}

    def served(number: int, digests: tuple[str, ...], tokens: tuple[int, ...]) -> tuple[Span, ...]:
        said: Attributes = {semconv.MESSAGE_DIGESTS: digests, semconv.MESSAGE_TOKENS: tokens}
        return tuple(
            structs.replace(span, attributes={**span.attributes, **said})
            if span.name == f"served{number}"
            else span
            for span in _turn(number, 100 + 100 * number, ("p", "x", str(number)), 0)
        )

    failed = _span("failed", "chat1", 200, 201, {semconv.MESSAGE_DIGESTS: ("q",)}, 2)
    spans = (
        _span("query", None, 0, 1000, root),
        *served(0, ("P", "A", "0"), (-1, 30, 5)),
        failed,
        *served(1, ("P", "A", "1"), (-1, 30, 7)),
    )
    miss = cache_bill(read_queries(SpanSet(spans)).requests).requests[1].miss
    assert miss is not None
    assert (miss.messages_shared, miss.least_tokens, miss.most_tokens) == (2, 30, 30)
