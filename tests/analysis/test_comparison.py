"""A against B: which unit varies, what may be claimed, and what is left out."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace
from planted_starts import Noise, Shape, planted
from records import build_record

from punie.trace.analysis.comparison.change import Direction
from punie.trace.analysis.comparison.compare import Comparison, compare
from punie.trace.analysis.comparison.design import ObservationUnit
from punie.trace.analysis.comparison.facts import Likeness, compare_facts
from punie.trace.analysis.comparison.gate import GateOutcome, Thresholds, judge
from punie.trace.analysis.comparison.sides import side_of
from punie.trace.analysis.records import PlannedQuery, QueryLedger, QueryRecord
from punie.trace.analysis.verdicts.assessment import QueryEvidence
from punie.trace.model import Phase
from punie.trace.report.wording.comparison import caveats, gate_reason, undecided_reasons

QUERIES = ("one", "two", "three", "four", "five")


def _start(
    seed: int,
    *,
    repeats: int = 3,
    queries: Sequence[str] = QUERIES,
    slower: float = 1.0,
    at: int = 0,
    prefill_ms: int = 100,
) -> list[QueryRecord]:
    generator = random.Random(seed)  # noqa: S311 - made-up values
    return [
        build_record(
            query,
            {
                Phase.DECODE: round((200 + 20 * place + generator.randrange(12)) * slower),
                Phase.PREFILL: prefill_ms + generator.randrange(6),
                Phase.TOOL: 10 + generator.randrange(3),
            },
            repeat=repeat,
            start_ns=at,
        )
        for repeat in range(repeats)
        for place, query in enumerate(queries)
    ]


def _evidence(records: Sequence[QueryRecord]) -> QueryEvidence:
    return QueryEvidence(tuple(records))


def _side(count: int, first: int, **fields: object) -> list[QueryEvidence]:
    return [_evidence(_start(first + n, **fields)) for n in range(count)]  # type: ignore[arg-type]


def _compared(a: Sequence[QueryEvidence], b: Sequence[QueryEvidence]) -> Comparison:
    return compare(side_of(a), side_of(b))


def _named(comparison: Comparison, name: str) -> Direction:
    return next(c.direction for c in comparison.changes if c.measure.name == name)


def test_a_run_against_itself_has_no_difference() -> None:
    one = _side(1, 1)
    found = _compared(one, one)
    assert found.direction is Direction.NO_DIFFERENCE
    assert found.end_to_end is not None
    assert found.end_to_end.difference_ns == 0
    assert found.end_to_end.p == 1
    assert not any(change.is_significant for change in found.changes)
    assert found.same_answers == 15


@pytest.mark.parametrize("queries", [QUERIES, QUERIES[:1]])
def test_the_same_answers_need_no_test_to_be_no_different(queries: Sequence[str]) -> None:
    one = _side(1, 1, repeats=1, queries=queries)
    found = _compared(one, one)
    assert (found.direction, found.identical, found.undecided, found.caveats) == (
        Direction.NO_DIFFERENCE,
        True,
        (),
        (),
    )
    assert judge(found, Thresholds(0.0, 0)).gate is GateOutcome.PASSED
    assert "the same answers" in gate_reason(judge(found, Thresholds(0.0, 0)), found)
    assert not _compared(one, _side(1, 2, repeats=1, queries=queries)).identical


def test_answers_of_which_some_are_missing_are_no_claim_even_against_themselves() -> None:
    gap = QueryEvidence(tuple(_start(2)), missing=(PlannedQuery("six", 0, 0, 5),))
    assert _compared([gap], [gap]).direction is Direction.UNDECIDED


def test_longer_prefill_is_named_with_its_size_and_nothing_else_is() -> None:
    found = _compared(_side(1, 1), _side(1, 2, prefill_ms=300))
    assert found.direction is Direction.SLOWER
    standing = {c.measure.name: c.difference_ns for c in found.changes if c.is_significant}
    assert standing.keys() == {"wall", "generation", "prefill"}
    assert standing["prefill"] == pytest.approx(200e6, rel=0.02)
    assert any("start-to-start noise is not covered" in caveat for caveat in caveats(found))


def test_the_differences_of_the_phases_sum_to_that_of_the_wall_time() -> None:
    found = _compared(_side(2, 1), _side(3, 5, slower=1.2))
    assert found.end_to_end is not None
    phases = sum(c.difference_ns for c in found.changes if c.measure.kind == "phase")
    assert phases == pytest.approx(found.end_to_end.difference_ns)


@pytest.mark.parametrize(
    ("a", "b", "unit", "exchanged"),
    [
        (lambda: _side(1, 1), lambda: _side(1, 2), ObservationUnit.REPEAT, ObservationUnit.REPEAT),
        (lambda: _side(2, 1), lambda: _side(2, 5), ObservationUnit.START, ObservationUnit.REPEAT),
        (lambda: _side(4, 1), lambda: _side(4, 9), ObservationUnit.START, ObservationUnit.START),
        (
            lambda: _side(1, 1, repeats=1),
            lambda: _side(1, 2, repeats=1),
            ObservationUnit.QUERY_PAIR,
            ObservationUnit.QUERY_PAIR,
        ),
        (
            lambda: _side(1, 1),
            lambda: _side(1, 2, queries=("x", "y")),
            ObservationUnit.QUERY,
            ObservationUnit.QUERY,
        ),
    ],
)
def test_the_unit_is_the_highest_level_of_which_there_are_several(
    a: Callable[[], list[QueryEvidence]],
    b: Callable[[], list[QueryEvidence]],
    unit: ObservationUnit,
    exchanged: ObservationUnit,
) -> None:
    design = _compared(a(), b()).design
    assert design is not None
    assert (design.unit, design.exchanged) == (unit, exchanged)


@pytest.mark.parametrize(("a", "b", "draws"), [(1, 2, 60), (1, 3, 60), (3, 3, 15)])
def test_few_starts_that_differ_in_each_phase_by_chance_are_no_findings(a: int, b: int, draws: int) -> None:
    generator = random.Random(1)  # noqa: S311 - made-up values
    noise = Noise(0.0, 0.05, 0.01, by_phase=True)
    drawn = (planted(noise, Shape(a, b, queries=1), generator) for _ in range(draws))
    wrong = sum(any(change.is_significant for change in compare(*sides).changes[1:]) for sides in drawn)
    assert wrong <= 0.12 * draws  # 5 %, and room for chance; over repeats alone it was up to a half


def test_a_large_change_of_one_phase_is_found_over_three_starts_too() -> None:
    found = _compared(_side(3, 1), _side(3, 9, prefill_ms=300))
    assert found.design is not None
    assert (found.design.unit, found.design.exchanged) == (ObservationUnit.START, ObservationUnit.REPEAT)
    assert found.design.covers_starts
    assert {c.measure.name for c in found.changes if c.is_significant} == {"wall", "generation", "prefill"}


def test_what_is_said_of_the_wall_time_is_not_said_of_a_group() -> None:
    """Tools got faster by what the model got slower, within noise of each other."""
    slow = [
        _evidence(
            [
                replace(r, ledger=_moved(r.ledger, Phase.TOOL, Phase.DECODE, 40_000_000))
                for r in _start(n, prefill_ms=100)
            ]
        )
        for n in (1, 2, 3, 4)
    ]
    long_tools = [_evidence([_with_tools(r) for r in part.records]) for part in _side(4, 9)]
    found = _compared(long_tools, [_evidence([_with_tools(r) for r in part.records]) for part in slow])
    assert found.direction is Direction.NO_DIFFERENCE
    assert found.end_to_end is not None
    assert found.direction is found.end_to_end.direction
    assert (_named(found, "generation"), _named(found, "tool")) == (Direction.SLOWER, Direction.FASTER)
    names = [change.measure.name for change in found.changes]
    assert names == ["wall", "generation", "decode", "prefill", "tool"], "a group of one phase is that phase"


def _with_tools(record: QueryRecord) -> QueryRecord:
    """With 100 ms more in tools."""
    phases = {**record.ledger.phases_ns, Phase.TOOL: record.ledger.phases_ns[Phase.TOOL] + 100_000_000}
    return replace(
        record, ledger=replace(record.ledger, phases_ns=phases, wall_ns=record.wall_ns + 100_000_000)
    )


def _moved(ledger: QueryLedger, source: Phase, to: Phase, ns: int) -> QueryLedger:
    phases = {**ledger.phases_ns}
    phases[source] -= ns
    phases[to] += ns
    return replace(ledger, phases_ns=phases)


def test_with_few_starts_the_wall_time_is_judged_alone_and_phases_together() -> None:
    found = _compared(_side(3, 1), _side(3, 9, slower=1.05))
    assert found.design is not None
    assert found.design.exchanged is ObservationUnit.REPEAT
    wall, *parts = found.changes
    assert wall.p == wall.family_p
    alone = [found.design.t_p(place) for place in range(len(found.changes))]
    assert wall.p == pytest.approx(max(alone[0], found.test.p[0] if found.test else 0))
    for place, part in enumerate(parts, 1):
        assert part.family_p is not None
        assert part.family_p >= min(1.0, alone[place] * len(parts)) - 1e-12


def test_one_start_against_several_doesn_t_cover_what_differs_between_starts() -> None:
    found = _compared(_side(1, 1), _side(4, 9, slower=1.3))
    assert found.design is not None
    assert (found.design.unit, found.design.covers_starts) == (ObservationUnit.START, False)
    assert any(
        "1 server start on A, 4 on B: start-to-start noise is not covered" in c for c in caveats(found)
    )


def _in_turns(count: int, slower: float) -> tuple[list[QueryEvidence], list[QueryEvidence]]:
    sides: tuple[list[QueryEvidence], list[QueryEvidence]] = ([], [])
    for n in range(count):
        busy = 1 + n / 4  # the machine gets busier with every pair
        for side, factor in ((0, 1.0), (1, slower)):
            sides[side].append(_evidence(_start(10 * n + side, at=2 * n + side, slower=busy * factor)))
    return sides


def test_starts_made_in_turns_are_pairs_so_a_busy_machine_hides_nothing() -> None:
    found = _compared(*_in_turns(6, 1.15))
    assert found.design is not None
    assert found.design.unit is ObservationUnit.START_PAIR
    assert found.direction is Direction.SLOWER
    assert _named(found, "decode") is Direction.SLOWER
    assert _named(found, "prefill") is Direction.NO_DIFFERENCE
    apart = _compared(_in_turns(6, 1.15)[0], [QueryEvidence(e.records) for e in _side(6, 99)])
    assert apart.direction is not Direction.SLOWER


def _overlapping(count: int, slower: float) -> tuple[QueryEvidence, QueryEvidence]:
    """Two sources of `count` starts each, which asked query by query in turns; in every other start B began."""
    sides: tuple[list[QueryRecord], list[QueryRecord]] = ([], [])
    for n in range(count):
        for side, factor in ((0, 1.0), (1, slower)):
            second = side != n % 2
            sides[side].extend(
                replace(
                    record,
                    server_start=n,
                    ledger=replace(record.ledger, start_ns=100 * n + 2 * place + second),
                )
                for place, record in enumerate(_start(10 * n + side, slower=(1 + n / 4) * factor))
            )
    return _evidence(sides[0]), _evidence(sides[1])


@pytest.mark.parametrize(("count", "unit"), [(6, ObservationUnit.START_PAIR), (5, ObservationUnit.START)])
def test_starts_that_overlap_since_two_runs_ask_in_turns_are_pairs_from_six_on(
    count: int, unit: ObservationUnit
) -> None:
    a, b = _overlapping(count, 1.15)
    found = _compared([a], [b])
    assert found.design is not None
    assert found.design.unit is unit
    assert found.design.paired_starts == (tuple((n, n) for n in range(6)) if count == 6 else ())
    assert found.direction is (Direction.SLOWER if count == 6 else Direction.NO_DIFFERENCE)


def test_five_queries_asked_once_can_t_decide_and_say_why() -> None:
    found = _compared(_side(1, 1, repeats=1), _side(1, 2, repeats=1, slower=2.0))
    assert found.direction is Direction.UNDECIDED
    assert "the 5 that can be exchanged" in undecided_reasons(found)[0]
    assert "0.062" in undecided_reasons(found)[0]
    assert judge(found, Thresholds(0.0, 0)).gate is GateOutcome.UNDECIDED


def test_failed_and_truncated_answers_are_censored() -> None:
    records = _start(2)
    quick = build_record("one", {Phase.DECODE: 1}, ok=False)
    cut = build_record("two", {Phase.DECODE: 2}, truncated=1)
    plain, censored = (_compared(_side(1, 1), [_evidence(r)]) for r in (records, [*records, quick, cut]))
    assert (len(censored.b.failed), len(censored.b.truncated)) == (1, 1)
    assert [c.b_ns for c in censored.changes] == [c.b_ns for c in plain.changes]


def test_a_query_that_one_start_did_not_answer_is_left_out_and_named() -> None:
    failing = [
        r if r.query_id != "one" else build_record("one", {Phase.DECODE: 1}, ok=False) for r in _start(2)
    ]
    found = _compared(_side(1, 1), [_evidence(failing)])
    assert found.design is not None
    assert "one" not in found.design.queries
    assert any(
        caveat.startswith("left out: one, no complete, right answer in B") for caveat in caveats(found)
    )


def test_a_missing_query_forbids_a_claim() -> None:
    gap = QueryEvidence(tuple(_start(2, slower=3.0)), missing=(PlannedQuery("six", 0, 0, 5),))
    found = _compared(_side(1, 1), [gap])
    assert found.direction is Direction.UNDECIDED
    assert undecided_reasons(found) == ("B: 1 planned query missing",)


def test_nothing_but_failures_is_undecided() -> None:
    found = _compared(_side(1, 1), [_evidence([build_record("one", {Phase.DECODE: 1}, ok=False)])])
    assert undecided_reasons(found) == ("B has no complete, right answer",)
    assert found.changes == ()


@pytest.mark.parametrize(
    ("slower", "thresholds", "gate"),
    [
        (1.0, Thresholds(0.0, 0), GateOutcome.PASSED),
        (1.3, Thresholds(0.0, 0), GateOutcome.FAILED),
        (1.3, Thresholds(0.05, 20_000_000), GateOutcome.FAILED),
        (1.3, Thresholds(0.05, 200_000_000), GateOutcome.PASSED),
        (1.3, Thresholds(0.5, 20_000_000), GateOutcome.PASSED),
        (0.7, Thresholds(0.0, 0), GateOutcome.PASSED),
    ],
)
def test_the_gate_fails_only_beyond_both_thresholds(
    slower: float, thresholds: Thresholds, gate: GateOutcome
) -> None:
    assert judge(_compared(_side(4, 1), _side(4, 9, slower=slower)), thresholds).gate is gate


@pytest.mark.parametrize("several", [1, 4])
@pytest.mark.parametrize("above", [0.0, 0.05])
def test_one_start_on_a_side_is_not_enough_to_fail(several: int, above: float) -> None:
    found = _compared(_side(1, 1), _side(several, 2, slower=1.3))
    assert found.direction is Direction.SLOWER
    result = judge(found, Thresholds(above, 0))
    assert result.gate is GateOutcome.UNDECIDED
    assert "make several on each side, in turns" in gate_reason(result, found)
    assert judge(found, Thresholds(0.5, 0)).gate is GateOutcome.PASSED


def test_other_queries_on_each_side_are_not_enough_to_fail_either() -> None:
    found = _compared(_side(4, 1), _side(4, 9, slower=3.0, queries=("v", "w", "x", "y", "z")))
    assert found.direction is Direction.SLOWER
    result = judge(found, Thresholds(0.05, 0))
    assert result.gate is GateOutcome.UNDECIDED
    assert "ask the same queries" in gate_reason(result, found)


def test_it_says_how_many_starts_would_see_a_small_change() -> None:
    noisy = [_evidence(_start(n, slower=1 + n % 3 / 5)) for n in range(8)]
    found = compare(side_of(noisy[:4]), side_of(noisy[4:]), size=0.05).sensitivity
    assert found is not None
    assert found.detectable_ns > found.size_ns
    assert found.per_side is not None
    assert found.per_side > found.has == 4


def test_facts_are_the_same_differ_or_are_not_known() -> None:
    found = compare_facts(
        [{"m": "x", "c": "on"}, {"m": "x", "c": "on"}], [{"m": "y", "c": "on"}], ["m", "c", "v"]
    )
    assert [fact.likeness for fact in found] == [Likeness.DIFFERS, Likeness.SAME, Likeness.NOT_KNOWN]


def _cached(records: Sequence[QueryRecord], **fields: object) -> list[QueryEvidence]:
    """The same with a prompt cache of which nobody tells what was found in it; repeats take a third."""
    warm = [
        r if r.repeat == 0 else build_record(r.query_id, {Phase.DECODE: 70}, repeat=r.repeat) for r in records
    ]
    return [_evidence([replace(r, **{"cache": "unknown", **fields}) for r in warm])]


def test_a_run_with_repeats_is_compared_by_its_first_askings_with_one_without() -> None:
    once, often = _cached(_start(1, repeats=1)), _cached(_start(1))
    found = _compared(once, often)
    assert found.end_to_end is not None
    assert found.end_to_end.difference_ns == 0
    assert (len(found.b.answers), len(found.b.repeats)) == (5, 10)
    assert any("10 repeats on B that may have found the prompt cache warm" in c for c in caveats(found))


def test_repeats_that_read_their_prompt_are_compared() -> None:
    found = _compared(_cached(_start(1, repeats=1), cache="off"), _cached(_start(1), cache="off"))
    assert (len(found.b.answers), len(found.b.repeats)) == (15, 0)
    told = _compared(_cached(_start(1, repeats=1), cached_tokens=0), _cached(_start(1), cached_tokens=0))
    assert len(told.b.answers) == 15


def test_cached_repeats_are_in_no_average() -> None:
    plain = _start(1)
    marked = [replace(record, is_cached_repeat=record.repeat > 0) for record in plain]
    side = side_of([_evidence(marked)])
    assert (len(side.answers), len(side.repeats), len(side.records)) == (5, 10, 15)


def test_with_the_prompt_cache_on_server_starts_are_asked_for() -> None:
    plain = _compared(_side(1, 1, repeats=1), _side(1, 2, repeats=1))
    assert "ask 6 queries, or make 3 repeats of each query" in undecided_reasons(plain)[0]
    cached = _compared(*(_cached(_start(n, repeats=1), cache="server") for n in (1, 2)))
    assert "ask 6 queries, or make 4 server starts a side (--starts 4)" in undecided_reasons(cached)[0]
