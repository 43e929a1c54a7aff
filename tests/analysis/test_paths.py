"""Critical paths of queries: from spans of any shape to figures by phase and name, and over many queries."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from records import MS, build_record

from punie.trace import semconv
from punie.trace.analysis.ledger.in_turn import by_query
from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.analysis.path.path_summary import PathSummary, summarise_paths
from punie.trace.analysis.path.query_paths import paths_of
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.records import PathPart, QueryPath, QueryRecord
from punie.trace.analysis.summary.summary import analyse
from punie.trace.model import PHASES, Attributes, Phase, Provenance, Span, SpanSet
from punie.trace.store.sources import read_source

US = 1_000
TOOL = {semconv.OPERATION: semconv.OPERATION_TOOL}


def span(
    name: str, parent: str | None, start_ns: int, end_ns: int, attributes: Attributes | None = None
) -> Span:
    return Span("t", name, parent, name.rstrip("0123456789"), start_ns, end_ns, attributes=attributes or {})


def record_of(*spans: Span) -> QueryRecord:
    (record,) = read_queries(SpanSet(spans)).records
    return record


def parts_of(path: QueryPath | None) -> dict[str, tuple[str, int, int, int, int]]:
    assert path is not None
    return {p.name: (p.phase.value, p.ns, p.self_ns, p.on_path, p.spans) for p in path.parts}


def phases_of(path: QueryPath | None) -> dict[str, int]:
    assert path is not None
    return {phase.value: ns for phase, ns in path.phases_ns.items() if ns}


def test_tools_in_parallel_one_of_them_waited_for() -> None:
    # query |--------------------| 0..20
    # grep     |------|            3..10
    # find     |----------|        3..14
    # phase framework from 14: the answer is put together
    record = record_of(
        span("query", None, 0, 20, {semconv.QUERY_ID: "parallel"}),
        span("grep1", "query", 3, 10, TOOL),
        span("grep2", "query", 4, 9, TOOL),
        span("find", "query", 3, 14, TOOL),
    )
    assert parts_of(record.critical_path) == {
        "find": ("tool", 11, 11, 1, 1),
        "query": ("framework", 9, 9, 1, 1),
        "grep": ("tool", 0, 12, 0, 2),
    }
    assert record.critical_path is not None
    assert record.critical_path.parallel_ns == 12


def test_spans_of_two_traces_in_one_query_may_share_their_ids() -> None:
    def of(
        trace: str, name: str, parent: str | None, start: int, end: int, *, is_root: bool = False
    ) -> PhasedSpan:
        return PhasedSpan(
            "q", trace, name, parent, start, end, Phase.TOOL, Provenance.CLIENT, is_root=is_root
        )

    phased = [
        of("t1", "1", None, 0, 100, is_root=True),
        of("t2", "2", None, 10, 60),
        of("t2", "3", "2", 20, 30),
        of("t1", "2", "1", 70, 90),
    ]
    found = paths_of(by_query(replace(one, name=one.trace_id) for one in phased))["q"]
    assert parts_of(found) == {"t1": ("tool", 50, 50, 2, 2), "t2": ("tool", 50, 50, 2, 2)}


def test_the_path_may_give_an_instant_to_another_phase_than_the_ledger() -> None:
    """The model works beside a tool that ends later: the ledger says decode, what is waited for is the tool."""
    written = {semconv.PHASE: Phase.DECODE.value}
    record = record_of(
        span("query", None, 0, 20, {semconv.QUERY_ID: "both"}),
        span("tool", "query", 2, 16, TOOL),
        span("decode", "query", 3, 9, written),
    )
    assert {p.value: ns for p, ns in record.ledger.phases_ns.items() if ns} == {
        "decode": 6,
        "tool": 8,
        "framework": 6,
    }
    assert phases_of(record.critical_path) == {"tool": 14, "framework": 6}
    summary = summarise_paths([record])
    assert summary is not None
    assert (summary.moved_ns, summary.parallel_ns) == (6, 6)


def test_without_parallel_work_it_is_the_ledger() -> None:
    record = record_of(
        span("query", None, 0, 20, {semconv.QUERY_ID: "plain"}),
        span("prefill", "query", 2, 6, {semconv.PHASE: "prefill"}),
        span("decode", "query", 6, 11, {semconv.PHASE: "decode"}),
        span("tool", "query", 12, 15, TOOL),
    )
    assert record.critical_path is not None
    assert record.critical_path.phases_ns == record.ledger.phases_ns
    assert record.critical_path.parallel_ns == 0


def test_a_span_whose_parent_is_lost_hangs_under_its_query() -> None:
    record = record_of(
        span("query", None, 5, 20, {semconv.QUERY_ID: "torn"}),
        span("early", "lost", 2, 9, TOOL),  # starts before the root: comes first in the order of spans
        span("below", "early", 6, 8, TOOL),
    )
    assert parts_of(record.critical_path) == {
        "query": ("framework", 11, 11, 1, 1),
        "early": ("tool", 2, 2, 1, 1),
        "below": ("tool", 2, 2, 1, 1),
    }


@st.composite
def queries(draw: st.DrawFn) -> list[PhasedSpan]:
    """One query, parents before children: nested, parallel, orphaned, skewed, zero-length and inverted spans."""
    length = draw(st.integers(0, 12))
    framework, client = Phase.FRAMEWORK, Provenance.CLIENT
    spans = [PhasedSpan("q", "t", "s0", None, 5, 5 + length, framework, client, is_root=True)]
    for number in range(1, draw(st.integers(1, 10))):
        low = 5 + draw(st.integers(-3, 12))
        high = low + draw(st.integers(-3, 9))
        parent = draw(st.sampled_from([None, "absent", *(one.span_id for one in spans)]))
        phase = draw(st.sampled_from(PHASES[::3]))
        spans.append(PhasedSpan("q", "t", f"s{number}", parent, low, high, phase, client))
    return spans


def _named(spans: Sequence[PhasedSpan]) -> list[PhasedSpan]:
    return [replace(s, name=f"kind {int(s.span_id[1:]) % 3}") for s in spans]


@settings(deadline=None)
@given(queries())
def test_every_path_is_as_long_as_its_query(spans: list[PhasedSpan]) -> None:
    path = paths_of(by_query(_named(spans)))["q"]
    assert sum(part.ns for part in path.parts) == path.wall_ns == spans[0].end_ns - spans[0].start_ns
    assert sum(part.spans for part in path.parts) == len(spans)
    assert sum(part.self_ns for part in path.parts) == path.wall_ns + path.parallel_ns
    assert path.parallel_ns >= 0


@settings(deadline=None, max_examples=30)
@given(st.lists(queries(), min_size=2, max_size=4))
def test_queries_do_not_touch_each_other(several: list[list[PhasedSpan]]) -> None:
    def renamed(spans: list[PhasedSpan], number: int) -> Iterator[PhasedSpan]:
        for s in _named(spans):
            yield replace(s, query_key=f"q{number}")

    together = paths_of(by_query(s for n, spans in enumerate(several) for s in renamed(spans, n)))
    alone = {f"q{number}": paths_of(by_query(_named(spans)))["q"] for number, spans in enumerate(several)}
    assert together == alone


def test_a_path_that_does_not_add_up_is_a_bug() -> None:
    part = PathPart(Phase.TOOL, "tool", 5, 5, 1, 1)
    QueryPath(5, (part,)).check()
    with pytest.raises(AssertionError, match="doesn't tile 6 ns"):
        QueryPath(6, (part,)).check()


CRISP = (
    "crisp_case_1.json",
    "crisp_case_4.json",
    "crisp_case_9.json",
    "crisp_err1_1.json",
    "crisp_err3_1.json",
)


@pytest.mark.parametrize("name", CRISP)
def test_cases_that_crisp_publishes(name: str) -> None:
    """Exclusive time on the critical path by operation, as its authors worked it out."""
    folder = os.environ.get("PUNIE_CORPUS")
    if not folder:
        pytest.skip("PUNIE_CORPUS names no folder with recorded traces")
    expected = json.loads((Path(folder) / name).read_text())["testing"]
    exclusive = expected["opTimeExclusive"] if isinstance(expected, dict) else expected[0]
    (record,) = read_queries(read_source(str(Path(folder) / name))).records
    assert record.critical_path is not None
    assert {part.name: part.ns for part in record.critical_path.parts if part.ns} == {
        label.split()[-1]: US * us for label, us in exclusive.items() if us
    }


def query(number: int, decode_ms: int, tool_ms: int = 10) -> QueryRecord:
    parts = (
        PathPart(Phase.DECODE, "decode", decode_ms * MS, decode_ms * MS, 1, 1),
        PathPart(Phase.TOOL, "execute_tool", tool_ms * MS, 3 * tool_ms * MS, 1, 3),
    )
    path = QueryPath((decode_ms + tool_ms) * MS, parts)
    path.check()
    phases = {Phase.DECODE: decode_ms, Phase.TOOL: tool_ms}
    return build_record(f"q{number}", phases, start_ns=number, critical_path=path)


def summary_of(records: Sequence[QueryRecord]) -> PathSummary:
    summary = summarise_paths(records)
    assert summary is not None
    return summary


def test_over_many_queries_it_adds_up_by_phase_and_by_name() -> None:
    summary = summary_of([query(number, 100 + number) for number in range(5)])
    assert summary.wall_ns == 560 * MS == sum(phase.ns for phase in summary.phases)
    assert sum(name.part.ns for name in summary.names) == summary.wall_ns
    assert [
        (n.part.name, n.part.ns, n.part.self_ns, n.part.on_path, n.part.spans) for n in summary.names
    ] == [
        ("decode", 510 * MS, 510 * MS, 5, 5),
        ("execute_tool", 50 * MS, 150 * MS, 5, 15),
    ]
    assert [name.queries for name in summary.names] == [5, 5]
    assert summary.names[0].share == 510 / 560
    assert (summary.parallel_ns, summary.moved_ns, summary.slow) == (100 * MS, 0, None)


def test_the_slow_against_the_typical_from_twenty_queries_up() -> None:
    # 20 queries: two at the 95th percentile and above, five from the 40th to the 60th (places 8 to 12)
    decode = [*range(100, 118), 180, 200]
    slow = summary_of([query(number, ms) for number, ms in enumerate(decode)]).slow
    assert slow is not None
    assert (slow.slow, slow.typical) == (2, 5)
    assert (slow.slow_wall_ns, slow.typical_wall_ns) == (200 * MS, 119 * MS)
    assert [(p.phase, p.slow_ns, p.typical_ns, p.more_ns) for p in slow.phases] == [
        (Phase.DECODE, 190 * MS, 109 * MS, 81 * MS),
        (Phase.TOOL, 10 * MS, 10 * MS, 0),
    ]
    assert slow.trace_ids == ("q19/0/0", "q18/0/0")
    assert summary_of([query(number, ms) for number, ms in enumerate(decode[1:])]).slow is None


def test_queries_that_took_equally_long_are_not_all_slow() -> None:
    slow = summary_of([query(number, 500 if number < 3 else 100) for number in range(60)]).slow
    assert slow is not None
    assert (slow.slow, slow.typical) == (4, 13)  # places 57 to 60 and 24 to 36
    assert (slow.slow_wall_ns, slow.typical_wall_ns) == (410 * MS, 110 * MS)


def test_failed_queries_are_in_no_sum() -> None:
    failed = build_record("failed", {Phase.TOOL: 900}, ok=False)
    summary = analyse([query(1, 100), failed]).critical_path
    assert summary is not None
    assert (summary.queries, summary.wall_ns) == (1, 110 * MS)


def test_no_queries_no_paths() -> None:
    assert summarise_paths([]) is None
    assert summarise_paths([query(1, 5), build_record("unknown", {Phase.TOOL: 1})]) is None
