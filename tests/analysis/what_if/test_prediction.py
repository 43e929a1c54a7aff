"""Predictions from turns whose costs are known, because they were planted."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from msgspec.structs import replace
from records import MS, build_record

from punie.trace.analysis.cache.bill import cache_bill
from punie.trace.analysis.calls.usage import TokenCounts
from punie.trace.analysis.improvement.track_record import TrackRecord
from punie.trace.analysis.queries.requests import MessageList, ModelRequest
from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.spread import UnitKind
from punie.trace.analysis.what_if.cost_model import Costs, cost_model, fit
from punie.trace.analysis.what_if.improvements import combinations, combined, saved_ns
from punie.trace.analysis.what_if.observed import ObservedQuery, ObservedTurn, Window, observe
from punie.trace.analysis.what_if.prediction import Saving, WhatIf, what_if
from punie.trace.model import Phase
from punie.trace.report.builders.what_if import what_if_section

OVERHEAD, PER_UNCACHED, PER_OUTPUT = 20 * MS, 1 * MS, 4 * MS
SECOND = 10**9
Plan = Sequence[tuple[int, int, int]]  # a turn's prompt, cached and output tokens
FIVE: Sequence[Plan] = (
    ((100, 80, 30),),
    ((100, 40, 45),),
    ((110, 90, 20), (300, 120, 12)),
    ((120, 90, 25), (420, 120, 18)),
    ((105, 85, 22), (350, 110, 40)),
)


def _ask(
    plans: Sequence[Plan], *, phases: bool, noise: float = 0.0, repeats: int = 1
) -> tuple[list[QueryRecord], list[ModelRequest], dict[str, tuple[Window, ...]]]:
    """Queries whose turns cost what is planted, 50 ms of tools after every turn but the last."""
    chance = random.Random(3)  # noqa: S311 - planted noise, no secret
    records, requests, ran = [], [], {}
    for number, plan in enumerate(plans):
        for repeat in range(repeats):
            name, clock = f"q{number}", (number * repeats + repeat) * 100 * SECOND
            start, tools = clock, []
            record = build_record(name, {Phase.DECODE: 1}, repeat=repeat)
            for turn, (prompt, cached, output) in enumerate(plan):
                reading, writing = (prompt - cached) * PER_UNCACHED, output * PER_OUTPUT
                writing = round(writing * (1 + noise * chance.gauss()))
                end = clock + OVERHEAD + reading + writing
                asked = _request(record, turn, (clock, end), TokenCounts(prompt, cached, output))
                apart = {"prefill_ns": reading, "decode_ns": writing} if phases else {}
                requests.append(structs.replace(asked, **apart))
                clock = end
                if turn < len(plan) - 1:
                    tools.append((clock, clock + 50 * MS))
                    clock += 50 * MS
            ledger = replace(record.ledger, start_ns=start, wall_ns=clock - start)
            records.append(replace(record, ledger=ledger))
            ran[ledger.query_key] = tuple(tools)
    return records, requests, ran


def _request(record: QueryRecord, turn: int, window: tuple[int, int], tokens: TokenCounts) -> ModelRequest:
    return ModelRequest(
        query_key=record.ledger.query_key,
        query_id=record.query_id,
        trace_id=record.trace_id,
        span_id=str(turn),
        warmup=False,
        repeat=record.repeat,
        server_start=record.server_start,
        turn=turn,
        server="s",
        agent="assistant",
        start_ns=window[0],
        end_ns=window[1],
        tokens=tokens,
    )


def _predict(plans: Sequence[Plan], *, target_ns: int = SECOND, **how: object) -> WhatIf:
    records, requests, tools = _ask(plans, **how)  # type: ignore[arg-type]
    found = what_if(records, requests, tools, cache_bill(requests), target_ns=target_ns)
    assert found is not None
    return found


def _saving(found: WhatIf, slug: str) -> Saving:
    return next(saving for saving in found.savings if saving.slug == slug)


@pytest.mark.parametrize("phases", [True, False], ids=["phases told", "whole turns"])
def test_planted_costs_are_found(phases: bool) -> None:
    model = _predict(FIVE, phases=phases).model
    assert model is not None
    assert model.by_phase is phases
    assert model.overhead.value == pytest.approx(OVERHEAD)
    assert model.per_uncached.value == pytest.approx(PER_UNCACHED)
    assert model.per_output.value == pytest.approx(PER_OUTPUT)
    assert (model.turns, model.queries) == (8, 5)
    assert model.typical_error == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("phases", [True, False], ids=["phases told", "whole turns"])
def test_savings_are_what_the_planted_costs_say(phases: bool) -> None:
    found = _predict(FIVE, phases=phases)
    output = [sum(turn[2] for turn in plan) for plan in FIVE]
    mean = PER_OUTPUT * sum(output) / len(output)
    assert _saving(found, "output-20").saved_ns == pytest.approx(0.2 * mean)
    assert _saving(found, "output-40").saved_ns == pytest.approx(0.4 * mean)
    assert _saving(found, "decode-2").saved_ns == pytest.approx(0.5 * mean)
    assert _saving(found, "tools").saved_ns == 0
    shortest = [
        min(OVERHEAD + (p - c) * PER_UNCACHED + o * PER_OUTPUT for p, c, o in plan)
        for plan in FIVE
        if len(plan) > 1
    ]
    assert _saving(found, "turn").saved_ns == pytest.approx(sum(shortest) / len(FIVE))


def test_the_most_saving_change_comes_first_and_every_estimate_lies_in_its_interval() -> None:
    found = _predict(FIVE, phases=True, noise=0.05, repeats=3)
    values = [saving.saved_ns or 0 for saving in found.savings]
    assert values == sorted(values, reverse=True)
    assert _saving(found, "cache").saved_ns is None
    assert "digests" in _saving(found, "cache").why
    for saving in (saving for saving in found.savings if saving.slug != "cache"):
        assert saving.saved_ns is not None
        assert saving.low_ns is not None
        assert saving.high_ns is not None
        assert saving.low_ns <= saving.saved_ns <= saving.high_ns
        assert saving.over is UnitKind.QUERY


def test_a_cache_that_hits_saves_the_reading_of_what_was_read_before() -> None:
    cold: list[Plan] = [((90 + 7 * n, 0, 20 + n * n), (200 + 11 * n, 0, 12 + n)) for n in range(5)]
    records, asked, tools = _ask(cold, phases=True)
    lists = [(f"P{r.query_id}", "U", "A", "T")[: 2 + 2 * r.turn] for r in asked]
    requests = [
        structs.replace(r, client_messages=MessageList(digests), agent=r.query_id)
        for r, digests in zip(asked, lists, strict=True)
    ]
    found = what_if(records, requests, tools, cache_bill(requests), target_ns=SECOND)
    assert found is not None
    read_twice = sum(plan[0][0] for plan in cold) / len(cold)
    assert _saving(found, "cache").saved_ns == pytest.approx(read_twice * PER_UNCACHED)


def _untold(plans: Sequence[Plan], untold: set[int], *, phases: bool) -> WhatIf:
    """As `_predict`, with nobody telling the cached tokens of the requests at `untold`."""
    records, requests, tools = _ask(plans, phases=phases)
    asked = [
        structs.replace(r, tokens=structs.replace(r.tokens, cached=None)) if place in untold else r
        for place, r in enumerate(requests)
    ]
    found = what_if(records, asked, tools, cache_bill(asked), target_ns=SECOND)
    assert found is not None
    assert found.model is not None
    assert found.left_out == {}
    assert "cached tokens" in _saving(found, "cache").why
    return found


def test_without_cached_tokens_all_but_the_cache_is_predicted_where_phases_are_told() -> None:
    all_told, none_told = _predict(FIVE, phases=True), _untold(FIVE, set(range(8)), phases=True)
    for slug in ("output-20", "output-40", "decode-1.3", "decode-2", "tools", "turn"):
        assert _saving(none_told, slug) == _saving(all_told, slug)
    assert none_told.model is not None
    assert none_told.model.per_uncached.value is None
    assert "cached tokens" in none_told.model.per_uncached.why
    assert "no turn reports its cached tokens" in "\n".join(_sentences(none_told))
    assert none_told.model.per_output.value == pytest.approx(PER_OUTPUT)


def test_without_cached_tokens_whole_turns_tell_no_cost_of_an_output_token() -> None:
    found = _untold(FIVE, set(range(8)), phases=False)
    assert found.model is not None
    assert (found.model.per_uncached.value, found.model.per_output.value) == (None, None)
    assert {saving.slug for saving in found.savings if not saving.why} == {"tools", "turn"}


@pytest.mark.parametrize("phases", [True, False], ids=["phases told", "whole turns"])
def test_turns_that_tell_their_cached_tokens_give_the_costs(phases: bool) -> None:
    found = _untold(FIVE, {0, 4}, phases=phases)
    model = found.model
    assert model is not None
    assert model.per_uncached.value == pytest.approx(PER_UNCACHED)
    assert model.per_output.value == pytest.approx(PER_OUTPUT)
    costs = "the prompt token's cost is" if phases else "the costs are"
    assert f"2 of 8 turns don't report their cached tokens: {costs} from the others" in _sentences(found)
    assert model.typical_error == pytest.approx(0, abs=1e-6)


def test_tokens_that_vary_together_tell_neither_cost() -> None:
    together: list[Plan] = [((10 * n, 0, n),) for n in (10, 20, 30, 40)]
    found = _predict(together, phases=False)
    assert found.model is not None
    assert found.model.per_output.value is None
    assert "vary too little" in found.model.per_output.why
    assert _saving(found, "output-20").saved_ns is None
    assert "output token" in _saving(found, "output-20").why


def test_a_cost_that_cannot_be_told_from_zero_is_not_known() -> None:
    records, requests, tools = _ask(FIVE, phases=False)
    waited = (0, 700, 100, 600, 0, 400, 500, 0)  # ms that have nothing to do with the tokens
    shaken = [
        structs.replace(r, start_ns=r.start_ns - ms * MS) for r, ms in zip(requests, waited, strict=True)
    ]
    apart = [
        structs.replace(r, start_ns=r.start_ns + r.turn * SECOND, end_ns=r.end_ns + r.turn * SECOND)
        for r in shaken
    ]
    observed = observe(records, apart, tools, cache_bill([]))
    model = cost_model(observed.queries)
    assert model is not None
    assert model.per_output.value is None
    assert "zero" in model.per_output.why


def test_fewer_than_three_queries_predict_nothing_and_say_so() -> None:
    found = _predict(FIVE[:2], phases=True)
    assert found.model is None
    assert "three" in found.why
    assert found.savings == ()


def test_queries_that_a_turn_model_cannot_describe_are_left_out_and_counted() -> None:
    records, requests, tools = _ask(FIVE, phases=True)
    cut = replace(records[0], truncated=1)
    silent = [
        structs.replace(r, tokens=TokenCounts(None, None, None)) if r.query_id == "q1" else r
        for r in requests
    ]
    parallel = [structs.replace(r, start_ns=r.start_ns - 200 * MS) if r.turn == 1 else r for r in silent]
    of_q2 = [r for r in silent if r.query_id != "q2"] + [r for r in parallel if r.query_id == "q2"]
    observed = observe([cut, *records[1:]], of_q2, tools, cache_bill([]))
    assert [query.query_id for query in observed.queries] == ["q3", "q4"]
    assert observed.left_out == {
        "an answer cut at its token limit": 1,
        "a request without token counts": 1,
        "requests in parallel": 1,
    }


def test_tools_of_one_turn_save_all_but_the_longest() -> None:
    records, requests, _ = _ask(FIVE[2:3], phases=True)
    first, last = (r for r in requests)
    gap = (first.end_ns, first.end_ns + 20 * MS), (first.end_ns + 20 * MS, first.end_ns + 50 * MS)
    observed = observe(records, [first, last], {records[0].ledger.query_key: gap}, cache_bill([]))
    assert observed.queries[0].tools_apart_ns == 20 * MS


def test_a_target_names_the_fewest_changes_that_reach_it() -> None:
    asked = _predict(FIVE, phases=True, target_ns=10 * SECOND).reach
    assert asked is not None
    assert (asked.reached, asked.changes) == (True, ())
    one = _predict(FIVE, phases=True, target_ns=round(asked.now_ns * 0.9)).reach
    assert one is not None
    assert one.reached
    assert len(one.changes) == 1
    assert one.then_ns < one.target_ns <= one.now_ns
    none = _predict(FIVE, phases=True, target_ns=1).reach
    assert none is not None
    assert not none.reached
    assert 1 < none.then_ns < none.now_ns


def test_a_target_that_a_query_left_out_misses_is_not_said_to_be_met() -> None:
    records, requests, tools = _ask([*FIVE, FIVE[0]], phases=True)
    last = records[-1]
    slow = replace(last, model_requests=2, ledger=replace(last.ledger, wall_ns=90 * SECOND))
    untold = [
        structs.replace(r, tokens=TokenCounts(None, None, None)) if r.query_id == last.query_id else r
        for r in requests
    ]
    found = what_if([*records[:-1], slow], untold, tools, cache_bill(untold), target_ns=80 * SECOND)
    assert found is not None
    assert found.left_out
    assert found.reach is not None
    assert (found.reach.reached, found.reach.unpredicted_ns) == (False, 90 * SECOND)
    assert found.reach.now_ns < found.reach.target_ns


def test_a_combination_never_has_two_of_a_kind() -> None:
    found = list(combinations())
    assert len(found) == 3 * 3 * 2**3 - 1
    assert all(len({change.kind for change in changes}) == len(changes) for changes in found)


TURNS = st.builds(
    lambda uncached, output, decode, prefill, rest, least, more: ObservedTurn(
        start_ns=0,
        end_ns=decode + prefill + rest,
        uncached_tokens=uncached or None,
        output_tokens=output,
        prefill_ns=prefill,
        decode_ns=decode,
        read_again=(least, least + more) if least else None,
    ),
    *(st.integers(0, top) for top in (500, 300, SECOND, SECOND, SECOND, 300, 300)),
)


@given(
    turns=st.lists(TURNS, min_size=1, max_size=4),
    tools=st.integers(0, SECOND),
    costs=st.builds(Costs, st.floats(0, 1e9), st.none() | st.floats(0, 1e8), st.none() | st.floats(0, 1e8)),
)
def test_no_combination_saves_more_than_the_turns_and_tools_took(
    turns: list[ObservedTurn], tools: int, costs: Costs
) -> None:
    wall = sum(turn.duration_ns for turn in turns) + tools
    query = ObservedQuery("q", 0, 0, wall, tuple(turns), tools)
    for changes in combinations():
        saved = saved_ns(query, combined(changes), costs)
        assert 0 <= saved <= wall
        assert all(saved_ns(query, combined((change,)), costs) <= saved + 1e-3 for change in changes)


def test_costs_without_turns_are_none() -> None:
    assert fit([]) is None


def test_how_such_predictions_did_here_stands_beside_each() -> None:
    predicted = _predict(FIVE, phases=True)
    past = (TrackRecord("brief", 4, 4, 3, 0.021), TrackRecord("max-tokens", 1, 1, 1, 0.5))
    table = what_if_section(predicted, past).table
    assert table
    assert table.columns[-1] == "here before"
    cells = {str(row[0]): row[-1] for row in table.rows}
    assert cells["output 20 % shorter"] == "3 of 4 met, off 2.1 %"
    assert cells["decode 2x faster"] == "–"
    plain = what_if_section(predicted, past[1:]).table
    assert plain
    assert "here before" not in plain.columns


def _sentences(predicted: WhatIf | None) -> list[str]:
    return [note.text for note in what_if_section(predicted).notes]
