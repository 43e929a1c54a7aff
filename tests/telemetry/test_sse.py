"""Reading events must not depend on how the network cuts the bytes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from punie.trace.telemetry.http.sse import LONGEST_EVENT, SseComment, SseEvent, SseItem, SseParser

BODY = (
    b": keepalive 1/2\n\n"
    b"data: one\n\n"
    b"event: ping\nid: 7\n\n"  # no data: not dispatched
    b"data: two\r\ndata: lines\r\n\r\n"
    b"data:three\r\r"
    b":\r\n"
    b"\n\n\n"
    b"data\n\n"
    b"data:  [DONE]\n\n"
    b"data: unfinished"
)
ITEMS: list[SseItem] = [
    SseComment(b" keepalive 1/2"),
    SseEvent(b"one"),
    SseEvent(b"two\nlines"),
    SseEvent(b"three"),
    SseComment(b""),
    SseEvent(b""),
    SseEvent(b" [DONE]"),
]


def test_events_and_comments() -> None:
    assert list(SseParser().feed(BODY)) == ITEMS


@given(st.lists(st.integers(0, len(BODY)), max_size=12))
def test_any_cut_gives_the_same(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(BODY)]
    parser = SseParser()
    assert [item for start, end in pairwise(edges) for item in parser.feed(BODY[start:end])] == ITEMS


def test_of_what_is_too_long_only_the_beginning_is_held() -> None:
    parser = SseParser()
    assert list(parser.feed(b"data: ")) == []
    for _ in range(LONGEST_EVENT // 10_000 + 5):
        assert list(parser.feed(b"x" * 10_000)) == []
    (event,) = parser.feed(b"\n\n")
    assert isinstance(event, SseEvent)
    assert event.data == b"x" * (LONGEST_EVENT - len(b"data: "))
    for _ in range(3):
        assert list(parser.feed(b"data: " + b"y" * (LONGEST_EVENT // 2) + b"\n")) == []
    (event,) = parser.feed(b"\n")
    assert isinstance(event, SseEvent)
    assert len(event.data) <= LONGEST_EVENT + 3
    assert list(parser.feed(b"data: next\n\n")) == [SseEvent(b"next")]
