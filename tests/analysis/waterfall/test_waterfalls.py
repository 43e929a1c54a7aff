"""A query as a waterfall: rows, critical path, the ledger in order, gaps; by hand, and of any tree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from query_trees import Tree, forty_queries, seeded
from small_traces import MS, agent, chat, post, server, span, tool

from punie.trace import semconv
from punie.trace.analysis.calls.usage import TokenCounts
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.waterfall.build import read_waterfalls
from punie.trace.analysis.waterfall.model import RowRole, TrackKind, Waterfall, Window
from punie.trace.model import Attributes, Phase, Span, SpanSet, StatusCode
from punie.trace.store.sources import read_source

RECORDED = Path(__file__).parents[2] / "data" / "recorded" / "frameworks"
AGENT: Attributes = {"service.name": "agent", "process.pid": 7, "host.name": "here"}
SERVER: Attributes = {"service.name": "mlx_lm", "process.pid": 8, "host.name": "here"}


def waterfalls(*spans: Span) -> list[Waterfall]:
    source = SpanSet(spans)
    return list(read_waterfalls(source, read_queries(source).records))


def only(*spans: Span) -> Waterfall:
    (found,) = waterfalls(*spans)
    return found


def phase(
    name: str, parent: str, start: float, end: float, how: str = "server", resource: Attributes = AGENT
) -> Span:
    said = {semconv.PHASE: name.partition("-")[0], semconv.PHASE_PROVENANCE: how}
    return span(name, parent, start, end, said, resource=resource)


def asked() -> tuple[Span, ...]:
    """A query of one call, seen by client and server, and two tools that overlap."""
    return (
        span("query", None, 0, 100, {semconv.QUERY_ID: "q"}, resource=AGENT),
        agent("run", "query", 5, 95, resource=AGENT),
        chat("chat", "run", 10, 60, resource=AGENT),
        post("POST", "chat", 12, 58, resource=AGENT),
        server("request", "POST", 14, 56, resource=SERVER),
        phase("prefill", "request", 15, 30, resource=SERVER),
        phase("decode", "request", 30, 55, resource=SERVER),
        phase("decode-stream", "POST", 33, 57, "stream", resource=AGENT),
        tool("find", "run", 61, 80, {semconv.TOOL_NAME: "find"}, resource=AGENT),
        tool("grep", "run", 62, 90, {semconv.TOOL_NAME: "grep"}, status=StatusCode.ERROR, resource=AGENT),
    )


def test_rows_are_the_tree_by_start_with_what_each_is() -> None:
    found = only(*asked())
    assert [(row.depth, row.name, row.role.value) for row in found.rows] == [
        (0, "query", "query"),
        (1, "run", "agent"),
        (2, "chat", "model call"),
        (3, "POST", "http"),
        (4, "request", "server"),
        (5, "prefill", "phase"),
        (5, "decode", "phase"),
        (2, "find", "tool"),
        (2, "grep", "tool"),
    ]
    assert found.left_out == 1  # the stream's decode: the server's own is better
    call, failed = found.rows[2], found.rows[-1]
    assert call.tokens == TokenCounts(10, None, 1)
    assert (call.start_ns, call.end_ns, call.self_ns) == (10 * MS, 60 * MS, 4 * MS)
    assert (failed.tool, failed.error) == ("grep", "error")


def test_tracks_are_the_agent_its_connections_and_the_server_and_lanes_keep_overlaps_apart() -> None:
    found = only(*asked())
    assert [(track.kind, track.name, track.pid, track.lanes) for track in found.tracks] == [
        (TrackKind.AGENT, "agent", 7, 2),
        (TrackKind.HTTP_CLIENT, "agent", 7, 1),
        (TrackKind.SERVER, "mlx_lm", 8, 1),
    ]
    assert [row.track for row in found.rows] == [0, 0, 0, 1, 2, 2, 2, 0, 0]
    assert [row.lane for row in found.rows] == [0, 0, 0, 0, 0, 0, 0, 0, 1]


def test_the_critical_path_names_what_was_waited_for() -> None:
    found = only(*asked())
    names = [
        (found.rows[at.span].name, at.start_ns // MS, at.end_ns // MS)
        for at in found.path
        if found.rows[at.span].role in (RowRole.TOOL, RowRole.PHASE)
    ]
    assert names == [("prefill", 15, 30), ("decode", 30, 55), ("grep", 62, 90)]
    assert sum(found.path_ns()) == found.wall_ns == 100 * MS


def test_gaps_are_framework_time_in_which_nothing_says_what_was_done() -> None:
    found = only(*asked())
    assert [(at.start_ns // MS, at.end_ns // MS) for at in found.gaps] == [
        (0, 12),
        (58, 61),
        (90, 100),
    ]


def test_contested_time_is_when_two_groups_were_at_work() -> None:
    found = only(
        span("query", None, 0, 100, {semconv.QUERY_ID: "q"}),
        phase("decode", "query", 10, 60, "client"),
        tool("find", "query", 40, 80),
    )
    assert list(found.contested) == [Window(40 * MS, 60 * MS)]


def test_a_row_is_cut_to_its_query_and_one_that_nobody_waits_for_is_on_no_path() -> None:
    follows = {semconv.PARENT_REFERENCE: semconv.FOLLOWS_FROM}
    found = only(
        span("query", None, 0, 100, {semconv.QUERY_ID: "q"}),
        tool("late", "query", 90, 130),
        span("mail", "query", 50, 85, follows),
        span("after", "query", 110, 120),
    )
    late, mail, after = (next(row for row in found.rows if row.name == n) for n in ("late", "mail", "after"))
    assert (late.start_ns, late.end_ns, late.is_cut) == (90 * MS, 100 * MS, True)
    assert (mail.is_detached, mail.is_cut) == (True, False)
    assert (after.start_ns, after.end_ns, after.is_cut) == (100 * MS, 100 * MS, True)
    assert "mail" not in {found.rows[at.span].name for at in found.path}


def test_a_query_of_a_single_span_and_one_of_no_length() -> None:
    alone = only(span("query", None, 0, 10, {semconv.QUERY_ID: "q"}))
    assert (len(alone.rows), alone.gaps) == (1, (Window(0, 10 * MS),))
    instant = only(span("query", None, 0, 0, {semconv.QUERY_ID: "q"}), chat("chat", "query", 0, 1))
    assert (instant.wall_ns, instant.path, instant.stretches, instant.gaps) == (0, (), (), ())
    assert instant.rows[1].is_cut


def test_five_thousand_levels_are_rows_like_others() -> None:
    deep = [span(f"s{level}", f"s{level - 1}", 1, 99) for level in range(1, 5_000)]
    found = only(span("s0", None, 0, 100, {semconv.QUERY_ID: "q"}), *deep)
    assert found.rows[-1].depth == 4_999


def test_only_the_queries_that_are_asked_for_are_drawn_in_the_order_asked() -> None:
    source = SpanSet(tuple(forty_queries(seeded(3))))
    records = read_queries(source).records
    wanted = (records[7], records[2])
    assert [found.record for found in read_waterfalls(source, wanted)] == list(wanted)


def _lanes_nest(found: Waterfall) -> bool:
    """In a lane a row that begins while another is open lies in it, and hangs below it."""
    by_lane: dict[tuple[int, int], list[int]] = {}
    for index, row in enumerate(found.rows):
        by_lane.setdefault((row.track, row.lane), []).append(index)
    for lane in by_lane.values():
        stack: list[int] = []
        lane.sort(key=lambda index: (found.rows[index].start_ns, -found.rows[index].end_ns, index))
        for index in lane:
            row = found.rows[index]
            while stack and found.rows[stack[-1]].end_ns <= row.start_ns:
                stack.pop()
            if stack and (row.end_ns > found.rows[stack[-1]].end_ns or stack[-1] not in found.above(index)):
                return False
            stack.append(index)
    return True


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.booleans())
def test_of_any_tree_every_nanosecond_is_drawn_once(seed: int, open_ended: bool) -> None:
    for found in waterfalls(*Tree(1, seeded(seed), open_ended=open_ended).spans):
        found.check()  # path and stretches tile the query, rows lie in it, the stretches sum to the ledger
        assert _lanes_nest(found)
        parts = found.record.critical_path
        assert parts is not None
        on_path = dict.fromkeys(parts.phases_ns, 0)
        for row, ns in zip(found.rows, found.path_ns(), strict=True):
            on_path[row.phase] += ns
        assert on_path == parts.phases_ns


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.jsonl")), ids=lambda path: path.name)
def test_recordings_of_other_frameworks_are_drawn(path: Path) -> None:
    source = read_source(str(path))
    records = read_queries(source).records
    assert [found.record for found in read_waterfalls(source, records)] == list(records)


def test_what_does_not_add_up_is_refused() -> None:
    found = only(*asked())
    wrong = (found.stretches[0]._replace(phase=Phase.TOOL), *found.stretches[1:])
    with pytest.raises(AssertionError, match="critical path doesn't tile"):
        replace(found, path=found.path[1:]).check()
    with pytest.raises(AssertionError, match="don't sum to its ledger"):
        replace(found, stretches=wrong).check()
    with pytest.raises(AssertionError, match="isn't inside its query"):
        replace(found, rows=(replace(found.rows[0], end_ns=found.wall_ns + 1), *found.rows[1:])).check()
