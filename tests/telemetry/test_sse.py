"""Counting events must not depend on how the network cuts the bytes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from punie.trace.telemetry.sse import SseCounter

BODY = (
    b": keepalive 1/2\n\n"
    b"data: one\n\n"
    b"event: ping\nid: 7\n\n"  # no data: not dispatched
    b"data: two\r\ndata: lines\r\n\r\n"
    b"data:three\r\r"
    b"\n\n\n"
    b"data: [DONE]\n\n"
    b"data: unfinished"
)


def test_events_comments_and_the_end_mark() -> None:
    counter = SseCounter()
    assert counter.feed(BODY) == 3
    assert (counter.events, counter.done) == (3, True)


@given(st.lists(st.integers(0, len(BODY)), max_size=12))
def test_any_cut_gives_the_same_count(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(BODY)]
    counter = SseCounter()
    fed = sum(counter.feed(BODY[start:end]) for start, end in pairwise(edges))
    assert (fed, counter.events, counter.done) == (3, 3, True)


def test_a_long_line_is_not_held() -> None:
    counter = SseCounter()
    counter.feed(b"data: ")
    for _ in range(1000):
        counter.feed(b"x" * 1000)
    assert counter.feed(b"\n\n") == 1
