"""Ledgers that can be checked with a ruler."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from punie.trace.analysis.ledger.ledger import (
    MOST_NARROW_SPANS,
    PROVENANCES,
    compute_ledgers,
    decode_ledgers,
    ledger_sql,
)
from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.analysis.records import QueryLedger
from punie.trace.errors import InputError
from punie.trace.model import PHASE_GROUP, PHASE_RANK, PHASES, Group, Phase, Provenance
from punie.trace.store.sqlite import SqliteEngine

Drawn = tuple[str, str | None, int, int, Phase]


def ledger_of(*spans: Drawn) -> QueryLedger:
    """The ledger of one query; the first span drawn is its root."""
    (ledger,) = compute_ledgers(phased(spans), SqliteEngine())
    return ledger


def phased(spans: Iterable[Drawn], query: str = "q") -> list[PhasedSpan]:
    return [
        PhasedSpan(query, query, name, parent, start, end, phase, Provenance.CLIENT, is_root=place == 0)
        for place, (name, parent, start, end, phase) in enumerate(spans)
    ]


def spent(ledger: QueryLedger) -> dict[str, int]:
    return {phase.value: ns for phase, ns in ledger.phases_ns.items() if ns}


def contested(ledger: QueryLedger) -> dict[str, int]:
    return {phase.value: ns for phase, ns in ledger.contested_ns.items() if ns}


def test_one_turn() -> None:
    # query   |------------------------------| 0..100
    # chat      |------------------|           5..70
    # POST        |--------------|             10..65
    # server       |-----------|               12..60
    # queue        |-|                         12..15
    # template       |-|                       15..20
    # prefill          |---|                   20..35
    # decode               |---|               35..55
    # tool                          |----|     75..95
    ledger = ledger_of(
        ("query", None, 0, 100, Phase.FRAMEWORK),
        ("chat", "query", 5, 70, Phase.FRAMEWORK),
        ("POST", "chat", 10, 65, Phase.HTTP),
        ("server", "POST", 12, 60, Phase.SERVE),
        ("queue", "server", 12, 15, Phase.QUEUE),
        ("template", "server", 15, 20, Phase.TEMPLATE),
        ("prefill", "server", 20, 35, Phase.PREFILL),
        ("decode", "server", 35, 55, Phase.DECODE),
        ("tool", "query", 75, 95, Phase.TOOL),
    )
    assert spent(ledger) == {
        "decode": 20,
        "prefill": 15,
        "queue": 3,
        "template": 5,
        "serve": 5,
        "http": 2 + 5,
        "tool": 20,
        "framework": 10 + 5 + 5 + 5,
    }
    assert contested(ledger) == {}
    assert ledger.group_ns(Group.GENERATION) == 35


def test_parallel_tool_contests_generation() -> None:
    # query  |--------------------| 0..100
    # decode    |--------|          10..60
    # tool            |--------|    40..90    decode wins 40..60, contested there; 60..90 is the tool's alone
    ledger = ledger_of(
        ("query", None, 0, 100, Phase.FRAMEWORK),
        ("decode", "query", 10, 60, Phase.DECODE),
        ("tool", "query", 40, 90, Phase.TOOL),
    )
    assert spent(ledger) == {"decode": 50, "tool": 30, "framework": 20}
    assert contested(ledger) == {"decode": 20}


def test_sub_agents_that_all_generate_contest_nothing() -> None:
    # tool A  |------------|   10..80    tool B  |------------|   10..80
    # decode    |------|       20..60    decode     |------|      30..70
    ledger = ledger_of(
        ("query", None, 0, 100, Phase.FRAMEWORK),
        ("a", "query", 10, 80, Phase.TOOL),
        ("b", "query", 10, 80, Phase.TOOL),
        ("a.decode", "a", 20, 60, Phase.DECODE),
        ("b.decode", "b", 30, 70, Phase.DECODE),
    )
    assert spent(ledger) == {"decode": 50, "tool": 10 + 10, "framework": 10 + 20}
    # 20..30 only A generates while B's tool works itself, 60..70 the other way round
    assert contested(ledger) == {"decode": 20}


def test_an_ancestor_of_another_group_contests_nothing() -> None:
    ledger = ledger_of(
        ("query", None, 0, 100, Phase.FRAMEWORK),
        ("tool", "query", 0, 100, Phase.TOOL),
        ("decode", "tool", 0, 100, Phase.DECODE),
    )
    assert spent(ledger) == {"decode": 100}
    assert contested(ledger) == {}


def test_child_that_outlives_its_parent_is_only_cut_at_the_query() -> None:
    # query  |----------|        0..50
    # POST     |---|             10..30
    # decode      |------------  20..90      counts until the query ends
    ledger = ledger_of(
        ("query", None, 0, 50, Phase.FRAMEWORK),
        ("POST", "query", 10, 30, Phase.HTTP),
        ("decode", "POST", 20, 90, Phase.DECODE),
    )
    assert spent(ledger) == {"decode": 30, "http": 10, "framework": 10}


def test_child_that_outlives_its_parent_hides_nobody_elses_work() -> None:
    # query   |----------|   0..60
    # POST      |--|         10..30
    # decode      |--|       20..50   outlives POST
    # wait           |--|    40..60   network again, while decode still runs: contested 40..50
    ledger = ledger_of(
        ("query", None, 0, 60, Phase.FRAMEWORK),
        ("POST", "query", 10, 30, Phase.HTTP),
        ("decode", "POST", 20, 50, Phase.DECODE),
        ("wait", "query", 40, 60, Phase.RETRY),
    )
    assert contested(ledger) == {
        "decode": 10 + 10
    }  # 30..40 the query itself is at work: its only child just ended


def test_child_that_starts_before_its_parent_hides_nobody_elses_work() -> None:
    # query   |----------|   0..60
    # wait     |--|          5..20    network, while decode runs: contested 10..20
    # decode    |-----|      10..40   begins before POST
    # POST          |---|    30..50   from 20 to 30 the query itself is at work
    ledger = ledger_of(
        ("query", None, 0, 60, Phase.FRAMEWORK),
        ("wait", "query", 5, 20, Phase.RETRY),
        ("decode", "POST", 10, 40, Phase.DECODE),
        ("POST", "query", 30, 50, Phase.HTTP),
    )
    assert contested(ledger) == {"decode": 10 + 10}


@pytest.mark.parametrize(("start", "end"), [(70, 40), (30, 0), (40, 40), (200, 300), (100, 100)])
def test_spans_without_a_duration_in_the_window_take_no_time(start: int, end: int) -> None:
    ledger = ledger_of(("query", None, 10, 100, Phase.FRAMEWORK), ("odd", "query", start, end, Phase.DECODE))
    assert spent(ledger) == {"framework": 90}
    assert ledger.provenance[Phase.DECODE] == ()


@pytest.mark.parametrize("end", [10, 4, 0])
def test_query_without_length_has_a_ledger_of_zeros(end: int) -> None:
    ledger = ledger_of(("query", None, 10, end, Phase.FRAMEWORK), ("child", "query", 0, 50, Phase.DECODE))
    assert (ledger.start_ns, ledger.wall_ns, spent(ledger)) == (10, 0, {})


def test_copies_count_once() -> None:
    decode: Drawn = ("decode", "query", 10, 60, Phase.DECODE)
    assert spent(ledger_of(("query", None, 0, 100, Phase.FRAMEWORK), decode, decode, decode)) == {
        "decode": 50,
        "framework": 50,
    }


def test_provenance_is_that_of_the_spans_with_time() -> None:
    def decode(name: str, end: int, provenance: Provenance) -> PhasedSpan:
        return PhasedSpan("q", "q", name, "root", 10, end, Phase.DECODE, provenance)

    (ledger,) = compute_ledgers(
        [
            PhasedSpan("q", "q", "root", None, 0, 100, Phase.FRAMEWORK, Provenance.CLIENT, is_root=True),
            decode("a", 20, Provenance.INFERRED),
            decode("b", 50, Provenance.SERVER),
            decode("c", 10, Provenance.STREAM),
        ],
        SqliteEngine(),
    )
    assert ledger.provenance[Phase.DECODE] == (Provenance.SERVER, Provenance.INFERRED)
    assert ledger.provenance[Phase.FRAMEWORK] == (Provenance.CLIENT,)
    assert ledger.provenance[Phase.TOOL] == ()


def test_queries_come_in_the_order_of_their_start() -> None:
    late = phased([("r", None, 500, 600, Phase.FRAMEWORK)], "a")
    early = phased([("r", None, 100, 300, Phase.TOOL)], "b")
    ledgers = compute_ledgers(late + early, SqliteEngine())
    assert [(one.query_key, one.wall_ns) for one in ledgers] == [("b", 200), ("a", 100)]


def test_no_spans_no_ledgers() -> None:
    assert compute_ledgers([], SqliteEngine()) == ()


def test_rows_that_do_not_add_up_are_a_bug() -> None:
    with pytest.raises(AssertionError, match="don't sum to 100"):
        decode_ledgers([(0, 0, 100, 0, 99, 0, 1, 1)], ["q"])


def test_a_query_with_more_spans_than_can_be_counted_is_refused() -> None:
    with pytest.raises(InputError, match="q: has more than 2097151 spans"):
        decode_ledgers([(0, 0, 100, 0, 100, 0, 1, 2**21)], ["q"])


WIDE = pytest.mark.parametrize("wide", [False, True], ids=["as it stands", "wide"])


@WIDE
def test_the_text_counts_every_phase_in_a_place_of_its_own_and_finds_it_there(wide: bool) -> None:
    sql = ledger_sql(wide=wide)
    counted = {
        name: dict(re.findall(r"WHEN (\d+) THEN (\d+)", body))
        for body, name in re.findall(
            r"CASE phase_rank ((?:WHEN \d+ THEN \d+\s+)+)ELSE 0 END AS BIGINT\) AS (\w)", sql
        )
    }
    owner = sql[: sql.index("END AS phase_rank")].rpartition("CASE")[2]
    owners = re.findall(r"WHEN ([a-d]) (?:>= (\d+)|> 0) THEN (\d+)", owner)
    assert [int(rank) for _, _, rank in owners] == list(range(len(PHASES) - 1))
    for name, unit, rank in owners:
        units = int(counted[name][rank]) // int(unit or 1)
        assert units == 1, PHASES[int(rank)]
    assert "THEN 9 ELSE 10" in sql


@WIDE
def test_the_text_counts_every_group_with_its_phases(wide: bool) -> None:
    sql = ledger_sql(wide=wide)
    for group in Group:
        own = [str(PHASE_RANK[phase]) for phase in PHASES if PHASE_GROUP[phase] is group]
        outsiders = rf"NOT IN \({', '.join(own)}\)" if len(own) > 1 else f"<> {own[0]}"
        assert len(re.findall(rf"WHEN {group.value} > 0 AND phase_rank {outsiders} THEN lasted_ns", sql)) == 1


def test_the_text_names_every_provenance_at_its_rank() -> None:
    bits = re.findall(r"provenance_rank = (\d+) THEN (\d+) ELSE 0", ledger_sql())
    assert bits == [(str(rank), str(2**rank)) for rank in range(len(PROVENANCES))]


@pytest.mark.parametrize("word", ["RECURSIVE", "FILTER", ">>", "<<", "greatest", "least"])
@WIDE
def test_the_text_stays_portable(word: str, wide: bool) -> None:
    statements = "\n".join(line for line in ledger_sql(wide=wide).splitlines() if not line.startswith("--"))
    assert word.lower() not in statements.lower()


def test_five_thousand_levels_and_five_thousand_children() -> None:
    count = 5000
    deep: list[Drawn] = [("0", None, 0, 10 * count, Phase.FRAMEWORK)]
    deep += [(str(n), str(n - 1), n, 10 * count - n, Phase.TOOL) for n in range(1, count)]
    assert spent(ledger_of(*deep)) == {"framework": 2, "tool": 10 * count - 2}
    wide: list[Drawn] = [("root", None, 0, 10 * count, Phase.FRAMEWORK)]
    wide += [(str(n), "root", 10 * n, 10 * n + 7, Phase.DECODE) for n in range(count)]
    assert spent(ledger_of(*wide)) == {"decode": 7 * count, "framework": 3 * count}


@pytest.mark.parametrize("count", [MOST_NARROW_SPANS - 2, MOST_NARROW_SPANS, 40_000])
def test_so_many_spans_at_once_are_counted_without_running_into_each_other(count: int) -> None:
    drawn: list[Drawn] = [("root", None, 0, 100, Phase.FRAMEWORK), ("call", "root", 60, 90, Phase.MODEL)]
    drawn += [(str(n), "root", 10, 70, Phase.TOOL) for n in range(count)]
    assert spent(ledger_of(*drawn)) == {"framework": 20, "tool": 50, "model": 30}
