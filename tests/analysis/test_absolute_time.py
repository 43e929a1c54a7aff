"""Spans before 2001, in the future or of months: they take no time of others, and no verdict rests on them."""

from __future__ import annotations

import pytest
from flaws import find_flaws
from hypothesis import given, settings
from hypothesis import strategies as st

from punie.trace.analysis.integrity.kinds import Effect
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.queries.traces import read_traces
from punie.trace.analysis.trees.absolute_time import EARLIEST_NS, LONGEST_NS, mend_absolute_times
from punie.trace.analysis.trees.tree import grow
from punie.trace.model import Phase, Span, SpanSet

T = "a" * 32
NOW = 1_764_000_000_000_000_000
S = 10**9
DAY = 86_400 * S
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


def span(name: str, parent: str | None, start: int, end: int, *, chat: bool = False, trace: str = T) -> Span:
    return Span(trace, name, parent, name, start, end, attributes=CHAT if chat else {})


def window(spans: list[Span], name: str, now_ns: int = NOW + DAY) -> tuple[int, int]:
    forest, _ = mend_absolute_times(grow(spans), now_ns)
    found = forest.spans[T, name]
    return found.start_ns, found.end_ns


ROOT = span("root", None, NOW, NOW + 10 * S)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, NOW + 6 * S, (NOW + 6 * S, NOW + 6 * S)),  # |----- start not set -----| : an instant at its end
        (
            5 * S,
            9 * S,
            (NOW + 10 * S, NOW + 10 * S),
        ),  # a monotonic clock: nothing is known, an instant at the end
        (
            NOW + 2 * S,
            NOW + 40 * DAY,
            (NOW + 2 * S, NOW + 2 * S),
        ),  # its end lies ahead: an instant at its start
        (NOW + 2 * S, NOW + 40, (NOW + 2 * S, NOW + 40)),  # inverted: a finding of its own, not touched
        (NOW + 2 * S, 0, (NOW + 2 * S, 0)),  # unended, likewise
        (NOW - LONGEST_NS, NOW + S, (NOW - LONGEST_NS, NOW + S)),  # months: said, and left as it is
    ],
)
def test_what_counts_of_a_span_without_children(start: int, end: int, expected: tuple[int, int]) -> None:
    assert window([ROOT, span("odd", "root", start, end)], "odd") == expected


@pytest.mark.parametrize(("days", "is_odd"), [(10, False), (30, False), (31, True)])
def test_a_span_may_last_thirty_days(days: int, is_odd: bool) -> None:
    forest, odd = mend_absolute_times(grow([span("long", None, NOW - days * DAY, NOW)]), NOW)
    assert forest.spans[T, "long"].duration_ns == days * DAY
    assert odd == ({(T, "long")} if is_odd else frozenset())


def test_a_root_without_a_start_counts_from_its_first_child_on() -> None:
    children = [span("a", "root", NOW + 2 * S, NOW + 3 * S), span("b", "root", NOW + 4 * S, NOW + 20 * S)]
    root = span("root", None, 0, NOW + 10 * S)
    assert window([root, *children], "root") == (NOW + 2 * S, NOW + 10 * S)
    whole = span("root", None, 7, 70)
    assert window([whole, *children], "root") == (NOW + 2 * S, NOW + 20 * S)


def test_a_child_of_which_nothing_is_known_shows_nothing_of_its_parent() -> None:
    spans = [
        span("root", None, 0, NOW + 10 * S),
        span("a", "root", NOW + 2 * S, NOW + 3 * S),
        span("odd", "root", 5, 9),
    ]
    assert window(spans, "root") == (NOW + 2 * S, NOW + 10 * S)


def test_times_of_a_trace_without_any_possible_one_agree_with_each_other() -> None:
    spans = [span("root", None, 1 * S, 9 * S), span("child", "root", 2 * S, 3 * S)]
    assert window(spans, "child") == (2 * S, 3 * S)
    (record,) = read_queries(SpanSet(tuple(spans)), now_ns=NOW).records
    assert record.wall_ns == 8 * S


def test_a_call_without_a_start_takes_nothing_of_its_query() -> None:
    spans = (
        ROOT,
        span("call", "root", NOW + S, NOW + 4 * S, chat=True),
        span("odd", "root", 0, NOW + 9 * S, chat=True),
    )
    read = read_queries(SpanSet(spans), now_ns=NOW)
    (record,) = read.records
    assert record.wall_ns == 10 * S
    assert record.ledger.phases_ns[Phase.MODEL] == 3 * S
    (found,) = (one for one in read.findings if one.slug == "impossible-time")
    assert (found.effect, found.count, found.examples) == (Effect.NO_VERDICT, 1, (f"{T}/odd",))


def test_without_now_times_are_taken_as_they_are() -> None:
    assert "impossible-time" not in {
        one.slug for one in find_flaws(read_traces(SpanSet((span("a", None, 1, 2),))))
    }


@pytest.mark.parametrize(("ahead_ns", "count"), [(DAY - 3 * S, 0), (DAY, 1)])
def test_more_than_a_day_ahead_is_the_future(ahead_ns: int, count: int) -> None:
    ahead = span("root", None, NOW + ahead_ns, NOW + ahead_ns + 2 * S)
    found = [
        one for one in read_queries(SpanSet((ahead,)), now_ns=NOW).findings if one.slug == "impossible-time"
    ]
    assert len(found) == count


times = st.one_of(
    st.integers(-5, 5),
    st.integers(NOW, NOW + 20),
    st.integers(EARLIEST_NS - 2, EARLIEST_NS + 2),
    st.just(NOW + 9 * DAY),
)


@st.composite
def traces(draw: st.DrawFn) -> list[Span]:
    spans = [span("s0", None, draw(times), draw(times))]
    for number in range(1, draw(st.integers(1, 9))):
        parent = draw(st.sampled_from([one.span_id for one in spans]))
        spans.append(span(f"s{number}", parent, draw(times), draw(times), chat=draw(st.booleans())))
    return spans


@settings(deadline=None)
@given(traces())
def test_no_figure_is_negative_and_no_query_lasts_decades_among_possible_times(made: list[Span]) -> None:
    read = read_queries(SpanSet(tuple(made)), now_ns=NOW)
    possible = any(EARLIEST_NS <= t <= NOW + DAY for one in made for t in (one.start_ns, one.end_ns))
    for record in read.records:
        assert record.wall_ns >= 0
        assert sum(record.ledger.phases_ns.values()) == record.wall_ns
        if possible and not any(
            EARLIEST_NS - 2 <= t <= EARLIEST_NS + 2 for one in made for t in (one.start_ns, one.end_ns)
        ):
            assert record.wall_ns < DAY
