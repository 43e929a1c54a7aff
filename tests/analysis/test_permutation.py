"""Permutation tests: exact where they can be, and honest about what they can't tell."""

from __future__ import annotations

import random
from statistics import pvariance

import pytest

from punie.trace.analysis.statistics import permutation
from punie.trace.analysis.statistics.many_units import random_permutations
from punie.trace.analysis.statistics.permutation import Stratum, permute
from punie.trace.analysis.statistics.two_means import of_pairs, of_separate, of_strata, units_to_detect


def _stratum(a: list[float], b: list[float]) -> Stratum:
    return Stratum(tuple((x,) for x in a), tuple((x,) for x in b))


@pytest.mark.parametrize(("pairs", "least", "decides"), [(5, 0.0625, False), (6, 0.03125, True)])
def test_fewer_than_six_pairs_can_t_decide(pairs: int, least: float, decides: bool) -> None:
    found = permute([_stratum([1.0], [2.0 + i / 10]) for i in range(pairs)])
    assert found.units == pairs
    assert found.smallest_p == found.p[0] == least
    assert found.can_decide is decides


def test_separated_starts_have_the_smallest_p_that_there_is() -> None:
    found = permute([_stratum([1, 2, 3, 4], [11, 12, 13, 14])])
    assert found.exact
    assert found.arrangements == 70
    assert found.p == (2 / 70,)


def test_many_arrangements_are_drawn_and_the_observed_one_counts() -> None:
    found = permute([_stratum([1, 2, 3], [11, 12, 13]) for _ in range(8)])
    assert not found.exact
    assert found.p == (1 / 5000,)


def test_the_same_values_on_both_sides_have_p_1() -> None:
    assert permute([_stratum([1, 5, 9], [1, 5, 9])]).p == (1.0,)


def test_one_of_many_measures_needs_more_to_stand_out() -> None:
    generator = random.Random(4)  # noqa: S311 - made-up values
    rows = [(float(i >= 4) * 2 + generator.gauss(), *(generator.gauss() for _ in range(9))) for i in range(8)]
    found = permute([Stratum(tuple(rows[:4]), tuple(rows[4:]))])
    assert all(together >= alone for alone, together in zip(found.p, found.family_p, strict=True))
    assert found.family_p[0] > found.p[0]


def test_claims_about_noise_are_rare_however_many_measures_there_are() -> None:
    generator = random.Random(5)  # noqa: S311 - made-up values
    claims = 0
    for _ in range(200):
        rows = [tuple(generator.gauss() for _ in range(8)) for _ in range(8)]
        claims += min(permute([Stratum(tuple(rows[:4]), tuple(rows[4:]))]).family_p) <= 0.05
    assert claims <= 20  # expected: 6


def test_the_ratio_s_interval_leaves_out_1_exactly_where_the_difference_s_leaves_out_0() -> None:
    generator = random.Random(6)  # noqa: S311 - made-up values
    for shift in (0.0, 0.5, 1.0, 2.0):
        for make in (of_pairs, of_separate):
            a = [10 + generator.gauss() for _ in range(6)]
            means = make(a, [x + shift + generator.gauss() for x in a])
            assert means is not None
            ratio = means.ratio_interval()
            assert ratio is not None
            assert (ratio[0] <= 1 <= ratio[1]) == (abs(means.difference) <= means.half_width)


def test_strata_hold_what_differs_between_queries_out_of_the_noise() -> None:
    means = of_strata([[1, 1.1], [100, 100.1]], [[2, 2.1], [101, 101.1]])
    assert means is not None
    assert means.difference == pytest.approx(1.0)
    assert means.half_width < 0.5
    assert of_strata([[1.0], [2.0, 3.0]], [[1.0, 2.0], [2.0, 3.0]]) is None


def test_more_units_see_smaller_differences() -> None:
    means = of_separate([9, 10, 11, 10], [10, 11, 9, 10])
    assert means is not None
    few, many = (units_to_detect(means, 4, difference=d) for d in (1.0, 0.25))
    assert few is not None
    assert many is not None
    assert 8 < 2 * few < many
    assert units_to_detect(means, 4, difference=0.001) is None


def test_five_thousand_arrangements_are_all_looked_at_and_more_are_drawn() -> None:
    pair = Stratum(((1.0,),), ((2.0,),))
    one_of_five = Stratum(((1.0,),), ((2.0,), (3.0,), (4.0,), (5.0,)))
    exact = permute([*[pair] * 3, *[one_of_five] * 4])
    drawn = permute([*[pair] * 4, *[one_of_five] * 4])
    assert (exact.arrangements, exact.exact, drawn.arrangements, drawn.exact) == (5000, True, 10_000, False)


def test_units_are_pairs_or_single_values() -> None:
    pair = Stratum(((1.0,),), ((2.0,),))
    assert permute([pair, pair]).units == 2
    assert permute([Stratum(((1.0,),), ((2.0,), (3.0,)))]).units == 3
    assert permute([Stratum(((1.0,), (1.5,)), ((2.0,), (3.0,)))]).units == 4


def test_the_least_p_by_hand() -> None:
    """Of C(4, 2) = 6 arrangements 2 are as extreme; of C(3, 1) = 3 one is, for nothing mirrors it."""
    assert permute([Stratum(((1.0,), (2.0,)), ((8.0,), (9.0,)))]).p == (2 / 6,)
    assert permute([Stratum(((1.0,), (2.0,)), ((8.0,), (9.0,)))]).smallest_p == 2 / 6
    assert permute([Stratum(((1.0,),), ((8.0,), (9.0,)))]).smallest_p == 1 / 3
    assert permute([Stratum(((1.0,),), ((1.0,),))]).smallest_p == 1.0


def test_nothing_to_exchange() -> None:
    with pytest.raises(ValueError, match="nothing can be exchanged"):
        permute([])


def test_measures_outside_the_family_keep_their_own_p() -> None:
    stratum = Stratum(((1.0, 5.0), (2.0, 1.0), (3.0, 4.0)), ((7.0, 4.0), (8.0, 6.0), (9.0, 2.0)))
    alone, together = permute([stratum], family=[0]), permute([stratum])
    assert alone.p == together.p
    assert alone.family_p == (0.1, alone.p[1])
    assert together.family_p[1] > together.p[1]


def test_a_measure_that_never_moves_is_no_part_of_the_family() -> None:
    stratum = Stratum(((1.0, 3.0), (2.0, 3.0)), ((8.0, 3.0), (9.0, 3.0)))
    assert permute([stratum]).family_p == (2 / 6, 1.0)


def _made_up(units: int, rare: float, seed: int) -> list[tuple[float, float, float]]:
    generator = random.Random(seed)  # noqa: S311 - made-up values
    found = []
    for _ in range(units):
        long = generator.lognormvariate(0.0, 0.7)
        seldom = generator.expovariate(0.2) if generator.random() < rare else 0.0
        found.append((long + seldom, long, seldom))
    return found


@pytest.mark.parametrize(("on_a", "rare"), [(400, 0.5), (100, 0.5), (400, 0.005)])
def test_sums_of_very_many_units_are_drawn_as_units_are_dealt(
    on_a: int, rare: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where one side has few, and where a measure is of four units: those weigh, and are dealt one by one."""
    rows = _made_up(800, rare, seed=2)
    strata = [Stratum(tuple(rows[:on_a]), tuple(rows[on_a:]))]
    monkeypatch.setattr(permutation, "MANY", 800)
    drawn = permute(strata)
    monkeypatch.setattr(permutation, "MANY", 801)
    dealt = permute(strata)
    assert (drawn.normal, dealt.normal) == (True, False)
    assert drawn.p == pytest.approx(
        dealt.p, abs=0.03
    )  # four standard errors of 4999 draws, and the approximation's
    assert drawn.family_p == pytest.approx(dealt.family_p, abs=0.03)


def test_pairs_of_very_many_units_swap(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = _made_up(800, 0.01, seed=3)
    strata = [Stratum((a,), (b,)) for a, b in zip(rows[:400], rows[400:], strict=True)]
    monkeypatch.setattr(permutation, "MANY", 800)
    drawn = permute(strata)
    monkeypatch.setattr(permutation, "MANY", 801)
    assert drawn.p == pytest.approx(permute(strata).p, abs=0.03)


def test_sums_of_many_small_strata_vary_as_their_deals_do() -> None:
    """Of each stratum one unit of three is on A: its three deals are all there are."""
    values = [row[0] for row in _made_up(1_500, 0.0, seed=5)]
    threes = [values[at : at + 3] for at in range(0, len(values), 3)]
    drawn = random_permutations([([(a,)], [(b,), (c,)]) for a, b, c in threes], 4_000, random.Random(6))  # noqa: S311
    exact = sum(pvariance((sum(three) - one) / 2 - one for one in three) for three in threes)
    assert pvariance(row[0] for row in drawn) == pytest.approx(exact, rel=0.1)


def test_a_measure_that_is_the_sum_of_others_or_never_moves_is_drawn_as_such() -> None:
    rows = [(long, long, 1.0) for long, _, _ in _made_up(1_000, 0.0, seed=4)]
    found = permute([Stratum(tuple(rows[:500]), tuple(rows[500:]))])
    assert found.normal
    assert found.p[0] == found.p[1]
    assert found.p[2] == found.family_p[2] == 1.0


def test_units_of_which_each_outweighs_all_smaller_ones_are_all_dealt_one_by_one() -> None:
    values = [1.02**place * (-1) ** place for place in range(1_000)]
    found = permute([Stratum(((0.0,),), ((value,),)) for value in values])
    assert found.normal
    assert found.p[0] == pytest.approx(0.9, abs=0.1)  # the sum of signs that alternate is as small as any
