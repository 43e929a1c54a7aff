"""A run's analysis: totals, rows, what is left out, and that shares add up."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from punie.trace.analysis.records import PlannedQuery, QueryRecord
from punie.trace.analysis.statistics.decode import DecodeKnowledge
from punie.trace.analysis.statistics.spread import Spread
from punie.trace.analysis.summary.summary import analyse
from punie.trace.analysis.summary.totals import NoTokenTime, Tokens, TokenTime, totals
from punie.trace.analysis.verdicts.memory import MemoryUse
from punie.trace.model import Group, Phase, Provenance, Verdict

RecordMaker = Callable[..., QueryRecord]
MS = 1_000_000


def test_nothing() -> None:
    found = analyse([], missing=[PlannedQuery("a", 0, 0, 0)])
    assert (found.records, found.queries, found.totals, found.decode) == ((), (), None, None)
    assert found.missing == (PlannedQuery("a", 0, 0, 0),)
    assert {name: f.verdict for name, f in found.verdicts.by_name.items()} == dict.fromkeys(
        ("generation", "accuracy", "target", "memory"), Verdict.UNDECIDED
    )


def test_a_run(make_record: RecordMaker) -> None:
    work = {Phase.PREFILL: 20, Phase.DECODE: 60, Phase.TOOL: 20}
    tokens = {"input_tokens": 100, "cached_tokens": 40, "output_tokens": 30}
    good = [
        make_record(f"q{q}", work, repeat=r, start_ns=10 * r + q, tool_calls=1, cache="server",
                    time_to_first_chunk_ns=(5, 9), **tokens)
        for r in range(3)
        for q in range(5)
    ]  # fmt: skip
    wrong = make_record("q1", {Phase.TOOL: 999}, repeat=3, start_ns=99, ok=False, failures=("off-topic",))
    warm = make_record("warm", {Phase.FRAMEWORK: 500}, warmup=True, start_ns=-1)
    memory = MemoryUse(1, limit_bytes=2)
    found = analyse([wrong, *reversed(good), warm], target_ns=101 * MS, memory=memory)

    assert found.records == (*good, wrong)
    assert (found.failed, found.warmup) == ((wrong,), (warm,))
    assert found.warmup_wall == Spread(1, 500 * MS, 500 * MS, 500 * MS, 500 * MS, None, None)
    assert (found.server_starts, found.caches, found.missing) == (1, ("server",), ())

    total = found.totals
    assert total is not None
    assert (total.answers, total.wall_ns, total.wall.p95_ns) == (15, 1500 * MS, None)
    assert (total.model_requests, total.tool_calls, total.truncated) == (30, 15, 0)
    assert total.tokens == Tokens(1500, 600, 450)
    assert total.token_time == TokenTime(2 * MS, Spread(15, 2 * MS, 2 * MS, 2 * MS, 2 * MS, None, None))
    assert total.time_to_first_chunk == Spread(30, 7, 7, 5, 9, p95_ns=9, p99_ns=None)
    shares = {phase.phase: phase.share for phase in total.phases if phase.ns}
    assert shares == {Phase.DECODE: 0.6, Phase.PREFILL: 0.2, Phase.TOOL: 0.2}
    assert {g.group: g.share for g in total.groups if g.ns} == {Group.GENERATION: 0.8, Group.TOOL: 0.2}

    assert [row.query_id for row in found.queries] == ["q0", "q1", "q2", "q3", "q4"]
    row = found.queries[1]
    assert (row.asked, row.scored, row.right, row.failed) == (4, 4, 3, (wrong,))
    assert row.totals is not None
    assert row.totals.wall.count == 3

    assert {name: f.verdict for name, f in found.verdicts.by_name.items()} == {
        "generation": Verdict.YES,
        "accuracy": Verdict.NO,
        "target": Verdict.NO,
        "memory": Verdict.YES,
    }
    assert all(one.question == name for name, one in found.verdicts.by_name.items())


def test_all_failed(make_record: RecordMaker) -> None:
    found = analyse(
        [make_record("a", {Phase.TOOL: 1}, ok=False), make_record("b", {Phase.TOOL: 1}, error="E: x")]
    )
    assert (found.totals, found.decode, len(found.failed)) == (None, None, 2)
    assert [row.totals for row in found.queries] == [None, None]
    assert found.verdicts.accuracy.verdict is Verdict.NO
    assert found.verdicts.target.verdict is Verdict.NO
    assert found.verdicts.generation.verdict is Verdict.UNDECIDED


def test_zero_wall_time(make_record: RecordMaker) -> None:
    found = analyse([make_record("a", {})])
    assert found.totals is not None
    assert {phase.share for phase in found.totals.phases} == {0.0}
    assert found.decode is None


def test_network_is_not_known_without_server_spans(make_record: RecordMaker) -> None:
    records = [make_record("a", {Phase.MODEL: 9}, network_known=False), make_record("b", {Phase.MODEL: 9})]
    total = totals(records)
    assert total is not None
    assert not total.network_known
    assert {phase.phase for phase in total.phases if not phase.known} == {Phase.HTTP}
    assert {group.group for group in total.groups if not group.known} == {Group.NETWORK}


def test_provenance_is_kept_for_each_phase(make_record: RecordMaker) -> None:
    seen = make_record("a", {Phase.DECODE: 5})
    streamed = make_record("b", {Phase.DECODE: 5})
    ledger = replace(streamed.ledger, provenance={Phase.DECODE: (Provenance.STREAM,)})
    total = totals([replace(streamed, ledger=ledger), seen])
    assert total is not None
    assert [p.provenance for p in total.phases if p.ns] == [(Provenance.SERVER, Provenance.STREAM)]
    assert {p.provenance for p in total.phases if not p.ns} == {()}


@pytest.mark.parametrize(
    ("phase", "output", "reason"),
    [
        (Phase.MODEL, 5, NoTokenTime.DECODE_NOT_APART),
        (Phase.DECODE, None, NoTokenTime.COUNTS_MISSING),
        (Phase.DECODE, 0, NoTokenTime.NO_OUTPUT),
    ],
)
def test_time_per_token_says_why_it_is_not_known(
    make_record: RecordMaker, phase: Phase, output: int | None, reason: NoTokenTime
) -> None:
    total = totals([make_record("a", {phase: 5}, output_tokens=output)])
    assert total is not None
    assert total.token_time == TokenTime(None, None, reason)


def test_one_unknown_token_count_makes_the_sum_unknown(make_record: RecordMaker) -> None:
    total = totals(
        [make_record("a", {}, input_tokens=5, output_tokens=1), make_record("b", {}, output_tokens=2)]
    )
    assert total is not None
    assert total.tokens == Tokens(input=None, cached=None, output=3)


def test_decode_knowledge_is_shown(make_record: RecordMaker) -> None:
    found = analyse([make_record("a", {Phase.MODEL: 5, Phase.TOOL: 5})])
    assert found.decode is not None
    assert (found.decode.knowledge, found.decode.share) == (DecodeKnowledge.UNKNOWN, None)
    assert found.decode.at_most.estimate == 0.5


def test_a_ledger_that_does_not_add_up_is_a_bug(make_record: RecordMaker) -> None:
    record = make_record("a", {Phase.TOOL: 5})
    broken = replace(record, ledger=replace(record.ledger, wall_ns=1))
    with pytest.raises(AssertionError, match="don't sum"):
        analyse([broken])


def test_the_analysis_is_frozen(make_record: RecordMaker) -> None:
    found = analyse([make_record("a", {Phase.TOOL: 5})])
    with pytest.raises(AttributeError):
        found.totals = None  # type: ignore[misc]  # the assignment is what must fail
    with pytest.raises(AttributeError):
        found.verdicts.target = found.verdicts.generation  # type: ignore[misc,assignment]  # the same


phase_times = st.dictionaries(st.sampled_from(list(Phase)), st.integers(0, 10**6), max_size=len(Phase))


@settings(max_examples=60, deadline=None)
@given(st.lists(phase_times, min_size=1, max_size=8))
def test_phases_and_groups_sum_to_the_wall_time(
    make_record: RecordMaker, times: list[dict[Phase, int]]
) -> None:
    total = totals([make_record(str(n), phases) for n, phases in enumerate(times)])
    assert total is not None
    assert sum(phase.ns for phase in total.phases) == total.wall_ns
    assert sum(group.ns for group in total.groups) == total.wall_ns
    if total.wall_ns:
        assert sum(phase.share for phase in total.phases) == pytest.approx(1)
        assert sum(group.share for group in total.groups) == pytest.approx(1)
