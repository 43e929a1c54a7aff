"""Two means, worked by hand: what follows from a handful of numbers, and the edges where nothing does."""

from __future__ import annotations

import math

import pytest

from punie.trace.analysis.statistics.distributions import t_quantile
from punie.trace.analysis.statistics.two_means import (
    TwoMeans,
    of_pairs,
    of_separate,
    of_strata,
    units_to_detect,
)

PAIRS = of_pairs([10, 11, 13], [11, 13, 14])  # differences 1, 2, 1
T_2 = 4.302652729911275  # Student's 97.5 % with 2 degrees of freedom


def means(**values: float) -> TwoMeans:
    given = {"a": 10.0, "b": 12.0, "variance_a": 0.5, "variance_b": 0.5, "covariance": 0.0} | values
    return TwoMeans(**given, degrees=2)


def test_pairs() -> None:
    assert PAIRS is not None
    assert (PAIRS.a, PAIRS.b, PAIRS.degrees) == pytest.approx((34 / 3, 38 / 3, 2))
    assert PAIRS.variance_a == pytest.approx(7 / 9)
    assert PAIRS.variance_b == pytest.approx(7 / 9)
    assert PAIRS.covariance == pytest.approx(13 / 18)
    assert PAIRS.difference == pytest.approx(4 / 3)
    assert PAIRS.standard_error == pytest.approx(1 / 3)
    assert PAIRS.half_width == pytest.approx(T_2 / 3)


def test_p_with_two_degrees_of_freedom_has_a_closed_form() -> None:
    assert PAIRS is not None
    t = PAIRS.difference / PAIRS.standard_error
    assert PAIRS.p == pytest.approx(1 - t / math.sqrt(t * t + 2))


@pytest.mark.parametrize(("b", "p"), [(10.0, 1.0), (11.0, 0.0)])
def test_p_without_any_spread(b: float, p: float) -> None:
    assert means(b=b, variance_a=0.0, variance_b=0.0).p == p


def test_at_the_ends_of_fiellers_interval_t_is_at_its_quantile() -> None:
    assert PAIRS is not None
    interval = PAIRS.ratio_interval()
    assert interval is not None
    assert interval[0] < PAIRS.b / PAIRS.a < interval[1]
    for ratio in interval:
        error = math.sqrt(PAIRS.variance_b + ratio**2 * PAIRS.variance_a - 2 * ratio * PAIRS.covariance)
        assert abs(PAIRS.b - ratio * PAIRS.a) == pytest.approx(T_2 * error)


@pytest.mark.parametrize(
    "values", [{"a": 0.0}, {"a": -10.0}, {"variance_a": 100.01 / T_2**2}, {"variance_a": 9.0}]
)
def test_no_ratio_where_a_can_not_be_told_from_zero(values: dict[str, float]) -> None:
    assert means(**values).ratio_interval() is None
    assert means().ratio_interval() is not None


def test_what_would_be_found_four_times_of_five() -> None:
    power = 0.6 / math.sqrt(0.32)  # Student's 80 % with 2 degrees of freedom
    assert means().detectable() == pytest.approx(T_2 + power)


def test_separate_units_have_welchs_degrees_rounded_down() -> None:
    found = of_separate([1, 2, 3], [4, 8])
    assert found is not None
    assert (found.a, found.b, found.covariance) == (2, 6, 0)
    assert (found.variance_a, found.variance_b) == pytest.approx((1 / 3, 4))
    assert found.degrees == math.floor((1 / 3 + 4) ** 2 / ((1 / 3) ** 2 / 2 + 4**2 / 1))


@pytest.mark.parametrize(
    ("a", "b", "variances", "degrees"),
    [
        ([1, 2, 3], [5], (1 / 3, 1.0), 2),
        ([5], [1, 2, 3], (1.0, 1 / 3), 2),
        ([1, 3], [5], (1.0, 2.0), 1),
        ([4, 4], [7, 7, 7], (0.0, 0.0), 3),
    ],
)
def test_a_single_unit_varies_like_those_of_the_other_side(
    a: list[float], b: list[float], variances: tuple[float, float], degrees: int
) -> None:
    found = of_separate(a, b)
    assert found is not None
    assert (found.variance_a, found.variance_b) == pytest.approx((variances[0], variances[1]))
    assert found.degrees == degrees


def test_strata() -> None:
    found = of_strata([[1, 3], [2, 6]], [[2, 4], [5, 9]])
    assert found is not None
    assert (found.a, found.b, found.covariance) == (3, 5, 0)
    assert (found.variance_a, found.variance_b) == pytest.approx((1.25, 1.25))
    assert found.degrees == math.floor(2.5**2 / (2 * 0.25**2 + 2 * 1**2))


def test_strata_of_several_sizes_weigh_alike() -> None:
    found = of_strata([[0, 3, 6], [10, 12]], [[1, 1], [1, 1]])
    assert found is not None
    assert (found.a, found.variance_b) == (7, 0)
    assert found.variance_a == pytest.approx(9 / 3 / 4 + 2 / 2 / 4)
    assert found.degrees == math.floor((0.75 + 0.25) ** 2 / (0.75**2 / 2 + 0.25**2 / 1))


@pytest.mark.parametrize(
    "made",
    [
        of_pairs([1], [2]),
        of_pairs([], []),
        of_separate([1], [2]),
        of_separate([1, 2, 3], []),
        of_separate([], [1, 2, 3]),
        of_strata([], [[1, 2]]),
        of_strata([[1, 2]], []),
        of_strata([[1, 2], [3]], [[1, 2], [3, 4]]),
        of_strata([[1, 2]], [[3]]),
    ],
)
def test_too_few_units(made: TwoMeans | None) -> None:
    assert made is None


def test_two_pairs_are_enough() -> None:
    found = of_pairs([1, 3], [2, 8])
    assert found is not None
    assert (found.degrees, found.difference) == (1, 3)


def detectable(total: int, units: int = 3) -> float:
    """The rule of `units_to_detect`, from the quantiles."""
    degrees = max(1, round(2 * total / units))
    return (t_quantile(0.975, degrees) + t_quantile(0.8, degrees)) * math.sqrt(units / total)


@pytest.mark.parametrize("total", [2, 3, 7, 40, 999])
def test_the_fewest_units_that_see_a_difference(total: int) -> None:
    assert units_to_detect(means(), 3, difference=detectable(total)) == total
    assert units_to_detect(means(), 3, difference=detectable(total) * 0.9999) == total + 1


def test_no_number_of_units_sees_nothing() -> None:
    assert units_to_detect(means(), 3, difference=0.0) is None
    assert units_to_detect(means(), 3, difference=-1.0) is None
    assert units_to_detect(means(), 3, difference=detectable(1000) * 0.99) is None


def test_three_strata_count_a_ninth_each() -> None:
    found = of_strata([[0, 2], [1, 3], [2, 4]], [[0, 4], [1, 5], [2, 6]])
    assert found is not None
    assert (found.variance_a, found.variance_b) == pytest.approx((3 * 2 / 2 / 9, 3 * 8 / 2 / 9))
    assert found.degrees == math.floor((1 / 3 + 4 / 3) ** 2 / (3 * (1 / 9) ** 2 + 3 * (4 / 9) ** 2))


def test_welchs_degrees_with_several_units_on_both_sides() -> None:
    found = of_separate([1, 2, 3, 4], [10, 14, 18])
    assert found is not None
    a, b = 5 / 3 / 4, 16 / 3
    assert (found.variance_a, found.variance_b) == pytest.approx((a, b))
    assert found.degrees == math.floor((a + b) ** 2 / (a * a / 3 + b * b / 2))
