"""What levers would save, worked out by hand from planted queries."""

from __future__ import annotations

import pytest
from records import build_record

from punie.trace.analysis.causes.model import Cause, CauseKind
from punie.trace.analysis.causes.prompts import ToolResult
from punie.trace.analysis.causes.tools import ResultRead
from punie.trace.analysis.experiment.arms import Arm
from punie.trace.bench.levers import predictions
from punie.trace.bench.levers.lever import Evidence
from punie.trace.bench.levers.registry import LEVERS, parse_change
from punie.trace.model import Phase

MS = 10**6
RECORDS = tuple(build_record(f"q{n}", {Phase.PREFILL: 600, Phase.DECODE: 400}, ok=True) for n in range(3))


def read(query: int, characters: int, *, ns_a_character: float | None = 100_000) -> ResultRead:
    result = ToolResult(3, "call", "search", "x" * characters)
    return ResultRead(RECORDS[query].ledger.query_key, result, False, ns_a_character, 600 * MS)


def test_shorter_results_save_the_prefill_of_what_is_cut() -> None:
    evidence = Evidence(Arm("a"), RECORDS, reads=(read(0, 3000), read(1, 3000), read(2, 500)))
    saving = predictions.shorter_results(evidence, "1000")
    assert saving
    assert saving.share == pytest.approx((200 + 200) / 3000)
    assert 0 <= saving.low < saving.share < saving.high
    beyond = predictions.shorter_results(evidence, "4000")
    assert beyond
    assert (beyond.share, beyond.high) == (0, 0)


def test_a_query_of_which_more_repeats_count_weighs_no_more() -> None:
    again = build_record("q0", {Phase.PREFILL: 600, Phase.DECODE: 400}, ok=True, repeat=1, start_ns=10**12)
    both = tuple(ResultRead(key, read(0, 3000).result, False, 100_000, 600 * MS) for key in
                 (RECORDS[0].ledger.query_key, again.ledger.query_key))  # fmt: skip
    once = predictions.shorter_results(Evidence(Arm("a"), RECORDS, reads=both[:1]), "1000")
    twice = predictions.shorter_results(Evidence(Arm("a"), (*RECORDS, again), reads=both), "1000")
    assert once
    assert twice == once


def test_they_save_no_more_than_the_prefill_that_there_was() -> None:
    evidence = Evidence(Arm("a"), RECORDS, reads=tuple(read(n, 100_000) for n in range(3)))
    saving = predictions.shorter_results(evidence, "1000")
    assert saving
    assert saving.share == pytest.approx(0.6)


def test_without_prefill_or_without_results_nothing_is_predicted_of_them() -> None:
    unknown = Evidence(Arm("a"), RECORDS, reads=(read(0, 3000, ns_a_character=None),))
    assert predictions.shorter_results(unknown, "1000") is None
    assert predictions.shorter_results(Evidence(Arm("a"), RECORDS), "1000") is None


def test_budgets_that_no_result_reaches_are_not_proposed() -> None:
    lever = parse_change("tool-results=1").lever
    called = tuple(build_record(f"q{n}", {Phase.DECODE: 1}, tool_calls=1) for n in range(2))
    assert lever.propose(Evidence(Arm("a"), called, reads=(read(0, 3000),))) == ("1000",)
    assert lever.propose(Evidence(Arm("a"), called, reads=(read(0, 500),))) == ()


def test_tools_in_one_turn_save_between_the_turns_prefill_and_all_of_it() -> None:
    cause = Cause(CauseKind.TOOL_PER_TURN, 3, 6, 100 * MS, 300 * MS)
    saving = predictions.tools_together(Evidence(Arm("a"), RECORDS, causes=(cause,)), "")
    assert saving
    assert (saving.low, saving.share, saving.high) == pytest.approx((0.1, 0.2, 0.3))
    assert predictions.tools_together(Evidence(Arm("a"), RECORDS), "") is None


def test_a_lever_without_a_prediction_says_why() -> None:
    silent = [
        lever for lever in LEVERS if lever.predict(Evidence(Arm("a"), RECORDS), lever.value and "1") is None
    ]
    assert silent
    assert all(lever.unpredicted for lever in silent)
