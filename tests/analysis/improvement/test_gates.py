"""What a faster arm must not cost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sample_improvements import many_arms

from punie.trace.analysis.experiment.gates import (
    GateKind,
    Resources,
    ScoredAnswer,
    accuracy_gate,
    closed,
    memory_gate,
    same_answers_gate,
    swap_gate,
)
from punie.trace.model import Verdict
from punie.trace.report.wording.improvement import accuracy_text


def answers(**right: str) -> list[ScoredAnswer]:
    """`q="yn"`: query q, asked twice, right and then wrong; `-`: not scored."""
    truth = {"y": True, "n": False, "-": None}
    return [ScoredAnswer(query, truth[one]) for query, repeats in right.items() for one in repeats]


def test_a_query_counts_only_if_all_of_its_repeats_are_right() -> None:
    gate = accuracy_gate(answers(a="yy", b="yn", c="nn"), answers(a="yn", b="yy", c="nn"))
    assert gate.verdict is Verdict.NO
    assert (gate.queries, gate.better, gate.of) == (("a",), ("b",), 1)


def test_nothing_worse_has_an_exact_bound() -> None:
    gate = accuracy_gate(
        answers(a="y", b="y", c="y", d="y", e="y"), answers(a="y", b="y", c="y", d="y", e="y")
    )
    assert gate.verdict is Verdict.YES
    assert gate.bound == pytest.approx(1 - 0.05 ** (1 / 5))


def test_where_no_query_could_get_worse_the_better_ones_are_still_named() -> None:
    found = accuracy_gate(answers(one="yn", two="nn"), answers(one="yy", two="nn"))
    text = accuracy_text(replace(many_arms().others[0], gates=(found,)))
    assert text == "no query is right in every repeat of the baseline, so none could get worse; better: one"


def test_what_nobody_scored_is_undecided_and_keeps_out_only_what_is_judged() -> None:
    gate = accuracy_gate(answers(a="--"), answers(a="--"))
    assert gate.verdict is Verdict.UNDECIDED
    assert closed([gate]) == (gate,)
    assert closed([gate], scored=False) == ()


def said(**digests: str) -> list[ScoredAnswer]:
    return [
        ScoredAnswer(query, True, tuple(one)) for query, repeats in digests.items() for one in repeats.split()
    ]


def test_other_answers_are_named() -> None:
    gate = same_answers_gate(said(a="xy xy", b="z"), said(a="xy", b="w"))
    assert (gate.kind, gate.verdict, gate.queries) == (GateKind.SAME_ANSWERS, Verdict.NO, ("b",))


def test_a_baseline_that_differs_from_itself_says_nothing_of_an_arm() -> None:
    assert same_answers_gate(said(a="x y"), said(a="z")).verdict is Verdict.UNDECIDED


def test_answers_without_digests_are_not_known_to_be_the_same() -> None:
    assert (
        same_answers_gate([ScoredAnswer("a", True)], [ScoredAnswer("a", True)]).verdict is Verdict.UNDECIDED
    )


@pytest.mark.parametrize(("before", "now"), [(None, 0), (0, None), (None, None)])
def test_swap_that_is_not_known_on_a_side_closes_nothing(before: int | None, now: int | None) -> None:
    gate = swap_gate(Resources(1, before), Resources(1, now))
    assert (gate.verdict, gate.of) == (Verdict.UNDECIDED, 0)


def test_memory_and_swap() -> None:
    assert memory_gate(Resources(10), None) is None
    verdicts = [memory_gate(Resources(peak), 10) for peak in (10, 11, None)]
    assert [gate.verdict for gate in verdicts if gate] == [Verdict.YES, Verdict.NO, Verdict.UNDECIDED]
    swapped = [swap_gate(Resources(1, 0), Resources(1, out)) for out in (0, 2**30, None)]
    assert [gate.verdict for gate in swapped] == [Verdict.YES, Verdict.NO, Verdict.UNDECIDED]
