"""What a draft will bring, predicted: against the formula, and on the cost curves of dense and expert models."""

from __future__ import annotations

import random

import pytest
from benches import build_preflight
from hypothesis import given
from hypothesis import strategies as st

from punie.trace.analysis.experiment.arms import PromptCache
from punie.trace.analysis.speculative.estimates import (
    AcceptanceCount,
    acceptance,
    paired_ratio,
    positions,
    propagate,
)
from punie.trace.analysis.speculative.model import (
    BaselineShape,
    DraftMeasurement,
    Estimate,
    TargetKind,
    VerificationCost,
)
from punie.trace.analysis.speculative.prediction import (
    decode_speed_up,
    end_to_end,
    expected_tokens,
    predict_memory,
    tokens_per_step,
)
from punie.trace.model import Verdict
from punie.trace.report.wording.speculative import preflight_reason

GB = 10**9
DRAFT = DraftMeasurement(0, Estimate(0.8, 0.75, 0.85), (), Estimate(0.1, 0.08, 0.12))


def mixture_costs(experts: int, active: int, share: float) -> tuple[VerificationCost, ...]:
    """V(m) of a bandwidth-bound mixture: m tokens read each expert that any of them chose, `share` of all weights'
    reading is the experts'."""
    chance = active / experts
    touched = [experts * (1 - (1 - chance) ** m) / active for m in range(1, 7)]
    return tuple(
        VerificationCost(m + 1, Estimate.exact(1 - share + share * t)) for m, t in enumerate(touched)
    )


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.8, 0.99])
def test_expected_tokens_are_the_closed_form(alpha: float, k: int) -> None:
    assert expected_tokens(alpha, k) == pytest.approx((1 - alpha ** (k + 1)) / (1 - alpha))


def test_a_draft_that_is_always_right_yields_k_and_one_more() -> None:
    assert expected_tokens(1.0, 5) == 6


def test_the_formula_agrees_with_a_simulated_draft() -> None:
    generator = random.Random(1)  # noqa: S311 # simulation
    alpha, k, cost, verification = 0.7, 3, 0.15, 1.2
    tokens = time = 0.0
    for _ in range(40_000):
        taken = 0
        while taken < k and generator.random() < alpha:
            taken += 1
        tokens += taken + 1
        time += k * cost + verification
    assert decode_speed_up(expected_tokens(alpha, k), k, cost, verification) == pytest.approx(
        tokens / time, rel=0.01
    )


def test_a_dense_target_gains_and_the_best_k_is_the_middle_one() -> None:
    found = build_preflight()
    assert found.best is not None
    assert found.best.decode.value > 1.8
    assert found.worth is Verdict.YES


def test_a_mixture_of_experts_is_made_slower_by_the_same_draft() -> None:
    costs = mixture_costs(experts=128, active=8, share=0.85)
    draft = DraftMeasurement(0, Estimate(0.6, 0.57, 0.63), (), Estimate(0.5, 0.48, 0.52))
    found = build_preflight(target_kind=TargetKind.MIXTURE, verification=costs, drafts=(draft,))
    assert [p.decode.value < 1 for p in found.predictions] == [True, True, True]
    assert found.worth is Verdict.NO
    assert "No k can reach 1.20×" in preflight_reason(found)


def test_with_costs_that_grow_the_smallest_k_is_best_and_with_flat_ones_a_larger_one() -> None:
    shape = {"drafts": (DraftMeasurement(0, Estimate(0.85, 0.8, 0.9), (), Estimate(0.05, 0.04, 0.06)),)}
    flat = build_preflight(**shape)
    growing = build_preflight(verification=mixture_costs(128, 8, 0.9), **shape)
    assert flat.best is not None
    assert growing.best is not None
    assert (flat.best.k, growing.best.k) == (5, 2)


def test_acceptance_by_place_goes_before_one_alpha() -> None:
    draft = DraftMeasurement(0, Estimate(0.8, 0.8, 0.8), (0.5, 0.1), Estimate.exact(0.1))
    assert tokens_per_step(draft, 2).value == pytest.approx(1.6)
    assert tokens_per_step(draft, 3).value == pytest.approx(1.6 + 0.1 * 0.8)


def test_end_to_end_is_amdahls_law() -> None:
    shape = BaselineShape(Estimate.exact(0.5), Estimate.exact(0.0))
    assert end_to_end(shape, DRAFT, Estimate.exact(2.0), PromptCache.OFF).value == pytest.approx(1 / 0.75)


def test_a_slow_path_and_a_lost_cache_are_paid_for() -> None:
    plain = BaselineShape(Estimate.exact(0.6), Estimate.exact(0.2))
    paying = BaselineShape(
        Estimate.exact(0.6), Estimate.exact(0.2), cached_share=0.5, path=Estimate.exact(1.3)
    )
    draft = Estimate.exact(2.0)
    assert end_to_end(plain, DRAFT, draft, PromptCache.OFF).value == pytest.approx(1 / (0.3 + 0.22 + 0.2))
    assert end_to_end(paying, DRAFT, draft, PromptCache.OFF).value == pytest.approx(1 / (0.39 + 0.44 + 0.2))
    assert end_to_end(paying, DRAFT, draft, PromptCache.SERVER).value == pytest.approx(
        1 / (0.39 + 0.22 + 0.2)
    )


@given(st.floats(0.1, 0.9), st.floats(0.0, 0.08), st.floats(0.02, 0.5), st.floats(1.0, 4.0))
def test_an_interval_holds_its_estimate(alpha: float, half: float, cost: float, verification: float) -> None:
    draft = DraftMeasurement(
        0, Estimate(alpha, alpha - half, alpha + half), (), Estimate(cost, cost * 0.9, cost * 1.1)
    )
    costs = tuple(
        VerificationCost(m, Estimate(verification, verification * 0.9, verification * 1.1)) for m in (3, 4)
    )
    for prediction in build_preflight(drafts=(draft,), verification=costs).predictions:
        for found in (prediction.decode, prediction.end_to_end, prediction.tokens_per_step):
            assert found is not None
            assert found.low <= found.value <= found.high


def test_a_k_whose_cost_was_not_measured_is_not_predicted() -> None:
    found = build_preflight(verification=(VerificationCost(3, Estimate.exact(1.0)),))
    assert [prediction.k for prediction in found.predictions] == [2]


def test_without_any_cost_nothing_is_said() -> None:
    assert build_preflight(verification=()).worth is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("limit", "recommended", "fits"),
    [
        (None, None, Verdict.UNDECIDED),
        (32 * GB, None, Verdict.YES),
        (32 * GB, 20 * GB, Verdict.NO),
        (None, 22 * GB, Verdict.YES),
    ],
)
def test_memory_is_held_against_the_tighter_bound(
    limit: int | None, recommended: int | None, fits: Verdict
) -> None:
    found = predict_memory(
        target_bytes=19 * GB, draft_bytes=GB, cache_bytes=GB, limit_bytes=limit, recommended_bytes=recommended
    )
    assert (found.total_bytes, found.fits) == (21 * GB, fits)


def test_what_does_not_fit_is_not_worth_measuring() -> None:
    memory = predict_memory(target_bytes=30 * GB, draft_bytes=5 * GB, limit_bytes=32 * GB)
    found = build_preflight(memory=memory)
    assert found.worth is Verdict.NO
    assert "35.0 GB" in preflight_reason(found)


def test_acceptance_counts_what_the_target_looked_at() -> None:
    found = acceptance([AcceptanceCount(10, (8, 4)), AcceptanceCount(10, (6, 4))])
    assert found is not None
    assert found.value == pytest.approx(22 / 34)
    assert 0 <= found.low < found.value < found.high <= 1


def test_one_answer_has_the_binomial_interval_and_none_has_nothing() -> None:
    one = acceptance([AcceptanceCount(10, (8,))])
    assert one is not None
    assert (round(one.low, 3), round(one.high, 3)) == (0.444, 0.975)
    assert acceptance([]) is None


def test_places_are_shares_of_steps() -> None:
    assert positions([AcceptanceCount(10, (8, 4)), AcceptanceCount(10, (6,))]) == (0.7, 0.2)
    assert positions([]) == ()


def test_paired_timings_have_an_interval_and_one_pair_has_none() -> None:
    found = paired_ratio([2.0, 2.2, 1.9], [1.0, 1.0, 1.0])
    assert found.value == pytest.approx(6.1 / 3)
    assert found.low < found.value < found.high
    assert paired_ratio([2.0], [1.0]).high == float("inf")


def test_deviations_add_in_quadrature() -> None:
    found = propagate(lambda a, b: a + b, Estimate(1, 0, 4), Estimate(1, 1, 5))
    assert (found.low, found.value, found.high) == (1, 2, 7)
