"""Whatever the spans look like: every one is placed or named, time is conserved, their order means nothing."""

from __future__ import annotations

from itertools import permutations
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from punie.trace import semconv
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.queries.traces import read_traces
from punie.trace.model import PHASES, Attributes, Span, SpanKind, SpanSet, StatusCode

NAMES = [f"s{number}" for number in range(8)]


@st.composite
def marks(draw: st.DrawFn) -> Attributes:
    """What a span may say of itself."""
    operation = draw(st.sampled_from([None, "chat", "execute_tool", "invoke_agent", "invoke_workflow"]))
    said: dict[str, str | bool | None] = {
        semconv.OPERATION: operation,
        "http.request.method": draw(st.sampled_from([None, "POST", "GET"])),
        semconv.PHASE: draw(st.sampled_from([None, None, *PHASES, "other"])),
        semconv.PHASE_PROVENANCE: draw(st.sampled_from([None, "server", "stream"])),
        semconv.QUERY_ID: draw(st.sampled_from([None, None, None, "views"])),
        semconv.QUERY_WARMUP: draw(st.sampled_from([None, None, True])),
    }
    return {key: value for key, value in said.items() if value is not None}


@st.composite
def spans(draw: st.DrawFn) -> Span:
    """Any span of two traces: parents may be missing, later, its own child or itself, ids may be taken."""
    name, start = draw(st.sampled_from(NAMES)), draw(st.integers(1, 30))
    return Span(
        trace_id=draw(st.sampled_from(["t0", "t1"])),
        span_id=name,
        parent_id=draw(st.sampled_from([None, "absent", *NAMES])),
        name=name,
        start_ns=start,
        end_ns=draw(st.one_of(st.just(0), st.integers(start - 1, start + 30))),
        kind=draw(st.sampled_from([SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.SERVER])),
        attributes=draw(marks()),
        status=draw(st.sampled_from(StatusCode)),
    )


@settings(deadline=None)
@given(st.lists(spans(), max_size=14), st.randoms(use_true_random=False))
def test_any_spans_give_the_same_account_in_any_order(made: list[Span], random: Random) -> None:
    found = read_queries(SpanSet(tuple(made)))
    for record in found.records:
        assert sum(record.ledger.phases_ns.values()) == record.wall_ns >= 0
    random.shuffle(made)
    assert read_queries(SpanSet(tuple(made))) == found


@settings(deadline=None)
@given(st.lists(spans(), max_size=14))
def test_no_nanosecond_of_a_trace_is_in_two_queries(made: list[Span]) -> None:
    counted: set[tuple[str, int]] = set()
    for record in read_queries(SpanSet(tuple(made))).records:
        start_ns, wall_ns = record.ledger.start_ns, record.wall_ns
        own = {(record.trace_id, at) for at in range(start_ns, start_ns + wall_ns)}
        assert not own & counted
        counted |= own


@settings(deadline=None)
@given(st.lists(spans(), max_size=14))
def test_every_span_is_in_one_query_or_named_as_in_none(made: list[Span]) -> None:
    traces = read_traces(SpanSet(tuple(made)))
    queries = traces.queries
    placed = [*queries.of, *queries.outside, *queries.unplaced]
    assert len(placed) == len(set(placed))
    assert set(placed) == set(traces.forest.spans)  # a span that shared its id has one of its own there
    assert all(queries.of[root] == root for root in queries.roots)
    assert set(queries.of.values()) == set(queries.roots)
    assert len(traces.forest.order) == len(traces.forest.spans) == len(placed)


def test_of_two_copies_of_a_call_the_one_that_is_kept_tells_what_its_tool_left_it() -> None:
    def made(name: str, parent: str | None, end_ns: int, operation: str) -> Span:
        said: Attributes = {semconv.OPERATION: operation} if operation else {}
        return Span("t0", name, parent, name, 1, end_ns, attributes=said)

    copies = (made("s0", "s7", 2, "execute_tool"), made("s7", None, 0, ""), made("s7", None, 3, "chat"))
    found = {repr(read_queries(SpanSet(order)).records) for order in permutations(copies)}
    assert len(found) == 1
