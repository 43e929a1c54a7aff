"""The gate: every arm's output against the sequential baseline's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from benches import ARMS, CACHED_DRAFT, SAID, build_observation, build_plan

from punie.trace.analysis.experiment.losslessness import LosslessnessGap, find_divergences, gate
from punie.trace.analysis.experiment.observation import DivergenceKind, Observation, TurnOutput
from punie.trace.analysis.speculative.model import SEQUENTIAL
from punie.trace.model import Phase, Verdict

PLAN = build_plan((*ARMS, CACHED_DRAFT), blocks=2, queries=("find", "explain"))
COMPARED = PLAN.compared
OTHER = (TurnOutput("x", (1, 2, 9)), TurnOutput("y", (7, 7)))


def _all(**said: Sequence[TurnOutput]) -> list[Observation]:
    """Everything asked; an arm named in `said` (underscores for dashes) answers `find` so."""
    found = []
    for arm in PLAN.arms:
        for block in range(2):
            for query_id in PLAN.queries:
                outputs = said.get(arm.name.replace("-", "_"), SAID) if query_id == "find" else SAID
                seen = {"outputs": tuple(outputs)}
                found.append(build_observation(arm.name, block, query_id, {Phase.DECODE: 100}, seen=seen))
    return found


def test_equal_outputs_are_lossless() -> None:
    found = gate(_all(), COMPARED)
    assert found.verdict is Verdict.YES
    assert {(arm.compared, arm.equal) for arm in found.arms} == {(4, 4)}


def test_the_first_differing_token_is_shown_and_later_turns_are_not() -> None:
    (one, two) = find_divergences(_all(draft0_k3=OTHER), COMPARED)
    assert (one.query_id, one.turn, one.token, one.expected, one.actual) == ("find", 0, 2, 3, 9)
    assert (one.block, two.block) == (0, 1)


@pytest.mark.parametrize(
    ("gap", "kind", "verdict"),
    [
        (0.015, DivergenceKind.TIE, Verdict.YES),
        (-0.015, DivergenceKind.TIE, Verdict.YES),
        (3.2, DivergenceKind.CORRUPTION, Verdict.NO),
        (None, DivergenceKind.UNKNOWN, Verdict.UNDECIDED),
    ],
)
def test_a_tie_is_told_from_a_corruption_by_the_logits(
    gap: float | None, kind: DivergenceKind, verdict: Verdict
) -> None:
    asked = _all(draft0_k3=OTHER)
    gaps = [replace(item, logit_gap=gap) for item in find_divergences(asked, COMPARED)]
    found = gate(asked, COMPARED, gaps=gaps, logit_noise=0.01).of("draft0-k3")
    assert found is not None
    assert (found.divergences[0].kind, found.divergences[0].places) == (kind, 2)
    assert (found.verdict, found.equal) == (verdict, 2)


def test_without_knowing_the_noise_a_gap_says_nothing() -> None:
    asked = _all(draft0_k3=OTHER)
    gaps = [replace(item, logit_gap=5.0) for item in find_divergences(asked, COMPARED)]
    found = gate(asked, COMPARED, gaps=gaps).of("draft0-k3")
    assert found is not None
    assert (found.verdict, found.gap) == (Verdict.UNDECIDED, LosslessnessGap.UNKNOWN_KIND)


def test_an_output_that_ends_early_or_goes_on_differs_at_its_end() -> None:
    shorter, longer = (TurnOutput("s", (1, 2)),), (*SAID, TurnOutput("c", (6,)))
    (one, *_) = find_divergences(_all(draft0_k2=shorter), COMPARED)
    assert (one.turn, one.token, one.expected, one.actual) == (0, 2, 3, None)
    (one, *_) = find_divergences(_all(draft0_k2=longer), COMPARED)
    assert (one.turn, one.token) == (2, None)


def test_digests_alone_show_that_but_not_where() -> None:
    digests = [replace(turn, tokens=None) for turn in OTHER]
    (one, *_) = find_divergences(_all(draft0_k2=digests), COMPARED)
    assert (one.turn, one.token) == (0, None)


def test_a_baseline_that_differs_from_itself_decides_nothing() -> None:
    asked = _all()
    index = next(i for i, seen in enumerate(asked) if seen.arm == SEQUENTIAL)
    asked[index] = replace(asked[index], outputs=OTHER)
    found = gate(asked, COMPARED)
    assert (found.verdict, found.unsteady) == (Verdict.UNDECIDED, ("find",))
    assert {arm.gap for arm in found.arms} == {LosslessnessGap.UNSTEADY}


def test_sampled_outputs_are_not_compared() -> None:
    found = gate(_all(draft0_k2=OTHER), replace(COMPARED, sampled=True))
    assert {arm.gap for arm in found.arms} == {LosslessnessGap.SAMPLED}
    assert found.verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("missing", "gap"),
    [(SEQUENTIAL, LosslessnessGap.NO_REFERENCE), ("draft0-k2", LosslessnessGap.NOTHING_COMPARED)],
)
def test_what_was_not_kept_is_not_equal(missing: str, gap: LosslessnessGap) -> None:
    asked = [replace(seen, outputs=()) if seen.arm == missing else seen for seen in _all()]
    found = gate(asked, COMPARED).of("draft0-k2")
    assert found is not None
    assert (found.verdict, found.gap) == (Verdict.UNDECIDED, gap)
