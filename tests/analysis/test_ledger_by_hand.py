"""Ledgers that can be checked with a ruler."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from punie.trace.analysis.ledger.ledger import compute_ledgers
from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.analysis.records import QueryLedger
from punie.trace.model import Group, Phase, Provenance

Drawn = tuple[str, str | None, int, int, Phase]


def ledger_of(*spans: Drawn) -> QueryLedger:
    """The ledger of one query; the first span drawn is its root."""
    (ledger,) = compute_ledgers(phased(spans))
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
    )
    assert ledger.provenance[Phase.DECODE] == (Provenance.SERVER, Provenance.INFERRED)
    assert ledger.provenance[Phase.FRAMEWORK] == (Provenance.CLIENT,)
    assert ledger.provenance[Phase.TOOL] == ()


def test_queries_come_in_the_order_of_their_start() -> None:
    late = phased([("r", None, 500, 600, Phase.FRAMEWORK)], "a")
    early = phased([("r", None, 100, 300, Phase.TOOL)], "b")
    ledgers = compute_ledgers(late + early)
    assert [(one.query_key, one.wall_ns) for one in ledgers] == [("b", 200), ("a", 100)]


def test_no_spans_no_ledgers() -> None:
    assert compute_ledgers([]) == ()


def test_a_ledger_that_does_not_add_up_is_a_bug() -> None:
    ledger = ledger_of(("query", None, 0, 100, Phase.FRAMEWORK))
    with pytest.raises(AssertionError, match="don't sum to 101"):
        replace(ledger, wall_ns=101).check()


@pytest.mark.parametrize("first", ["long", "short"])
def test_of_copies_that_differ_the_longest_counts_in_any_order(first: str) -> None:
    long: Drawn = ("decode", "query", 10, 60, Phase.DECODE)
    short: Drawn = ("decode", "query", 10, 30, Phase.PREFILL)
    copies = (long, short) if first == "long" else (short, long)
    assert spent(ledger_of(("query", None, 0, 100, Phase.FRAMEWORK), *copies)) == {
        "decode": 50,
        "framework": 50,
    }


def test_a_query_without_its_root_has_no_ledger() -> None:
    root, child = phased([("root", None, 0, 9, Phase.FRAMEWORK), ("child", "root", 1, 2, Phase.TOOL)])
    assert compute_ledgers([child]) == ()
    assert len(compute_ledgers([child, root])) == 1


def test_times_may_lie_before_the_epoch() -> None:
    ledger = ledger_of(
        ("query", None, -100, 50, Phase.FRAMEWORK), ("decode", "query", -60, -20, Phase.DECODE)
    )
    assert spent(ledger) == {"decode": 40, "framework": 110}


def test_five_thousand_levels_and_five_thousand_children() -> None:
    count = 5000
    deep: list[Drawn] = [("0", None, 0, 10 * count, Phase.FRAMEWORK)]
    deep += [(str(n), str(n - 1), n, 10 * count - n, Phase.TOOL) for n in range(1, count)]
    assert spent(ledger_of(*deep)) == {"framework": 2, "tool": 10 * count - 2}
    wide: list[Drawn] = [("root", None, 0, 10 * count, Phase.FRAMEWORK)]
    wide += [(str(n), "root", 10 * n, 10 * n + 7, Phase.DECODE) for n in range(count)]
    assert spent(ledger_of(*wide)) == {"decode": 7 * count, "framework": 3 * count}


@pytest.mark.parametrize("count", [2**12, 40_000])
def test_so_many_spans_at_once(count: int) -> None:
    drawn: list[Drawn] = [("root", None, 0, 100, Phase.FRAMEWORK), ("call", "root", 60, 90, Phase.MODEL)]
    drawn += [(str(n), "root", 10, 70, Phase.TOOL) for n in range(count)]
    assert spent(ledger_of(*drawn)) == {"framework": 20, "tool": 50, "model": 30}
