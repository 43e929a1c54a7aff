"""Spans that share no second: the longest are kept, whatever instants lie at their edges."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from punie.trace.analysis.queries.windows import longest_apart, overlap
from punie.trace.model import Span

moments = st.integers(0, 6)


def span(number: int, start: int, end: int) -> Span:
    return Span("t", f"s{number}", None, "span", start, end)


def test_an_instant_shares_the_start_of_a_span_and_not_its_end() -> None:
    long, at_start, at_end = span(1, 2, 5), span(2, 2, 2), span(3, 5, 5)
    assert overlap(long, at_start)
    assert overlap(at_start, long)
    assert not overlap(long, at_end)
    assert not overlap(at_end, long)


@given(st.lists(st.tuples(moments, moments), max_size=9))
def test_what_is_kept_shares_no_time_and_what_is_not_shares_some(times: list[tuple[int, int]]) -> None:
    spans = {("t", f"s{n}"): span(n, *pair) for n, pair in enumerate(times)}
    kept = longest_apart(spans, spans)
    assert not any(overlap(spans[one], spans[other]) for one, other in combinations(kept, 2))
    for key in spans.keys() - set(kept):
        assert any(overlap(spans[key], spans[other]) for other in kept)
