"""Permutation tests of two sides within strata, for several measures at once.

What may be exchanged between the sides is exchanged, everywhere at once, and the differences that come out are what
chance makes of these very values. Several measures (phases) are judged together by the largest of their
standardised differences, so that a claim about any of them is wrong no more often than a claim about one.
Source: Westfall and Young, Resampling-Based Multiple Testing (1993), single step.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Final

from punie.trace.analysis.statistics.many_units import Row, random_permutations

MOST_EXACT: Final = 5_000  # arrangements that are all looked at; of more, SAMPLED are drawn
SAMPLED: Final = 4_999
SEED: Final = 20_260_102
ALPHA: Final = 0.05
MANY: Final = 1_000  # units whose sums are drawn, not the units (`many_units`)
_ROUNDING: Final = 1e-9
_LARGEST_TABLE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Stratum:
    """Units that could have been on either side: the rows of those that were on A and on B. Neither is empty.

    A row is a unit's value of every measure.
    """

    a: tuple[Row, ...]
    b: tuple[Row, ...]

    @property
    def arrangements(self) -> int:
        """In how many ways the sides could have been drawn."""
        return math.comb(len(self.a) + len(self.b), len(self.a))


@dataclass(frozen=True, slots=True)
class PermutationResult:
    """What came out. `p` has each measure judged alone, `family_p` together with the others; both two-sided.

    `units` could be exchanged, in `arrangements` ways; `exact` if all of them were looked at, `normal` if these were so
    many that their sums were drawn. `smallest_p` is the least that so many arrangements can give.
    """

    p: Row
    family_p: Row
    units: int
    arrangements: int
    exact: bool
    smallest_p: float
    normal: bool = False

    @property
    def can_decide(self) -> bool:
        """Whether p could have come out at 5 % or less."""
        return self.smallest_p <= ALPHA


def permute(strata: Sequence[Stratum], family: Sequence[int] | None = None) -> PermutationResult:
    """Test the mean over the strata of (mean of B - mean of A), for each measure. Deterministic.

    `family` are the measures to be judged together (default: all); the others' `family_p` is their `p`.
    Raises ValueError without strata.
    """
    if not strata:
        raise ValueError("nothing can be exchanged")
    arrangements = math.prod(stratum.arrangements for stratum in strata)
    exact = arrangements <= MOST_EXACT
    observed = _sum([_difference(stratum.a, stratum.b) for stratum in strata])
    normal = not exact and sum(len(stratum.a) + len(stratum.b) for stratum in strata) >= MANY
    seen = list(_all(strata) if exact else _permutations(strata) if normal else _drawn(strata))
    if not exact:
        seen.append(observed)
    together = range(len(observed)) if family is None else family
    p = tuple(_share(seen, observed, measure) for measure in range(len(observed)))
    return PermutationResult(
        p=p,
        family_p=_family(seen, observed, p, tuple(together)),
        units=_units(strata),
        arrangements=arrangements,
        exact=exact,
        smallest_p=smallest_p(strata),
        normal=normal,
    )


def smallest_p(strata: Sequence[Stratum]) -> float:
    """The least two-sided p that these strata can give; a mirrored arrangement is as extreme as its twin."""
    arrangements = math.prod(stratum.arrangements for stratum in strata)
    mirrored = all(len(stratum.a) == len(stratum.b) for stratum in strata)
    return min(1.0, (2 if mirrored else 1) / arrangements)


def _units(strata: Sequence[Stratum]) -> int:
    """Two values that can only swap with each other are one unit, a pair."""
    return sum(
        1 if len(stratum.a) == len(stratum.b) == 1 else len(stratum.a) + len(stratum.b) for stratum in strata
    )


def _all(strata: Sequence[Stratum]) -> Iterator[Row]:
    return (_sum(chosen) for chosen in product(*(_table(stratum) for stratum in strata)))


def _permutations(strata: Sequence[Stratum]) -> Iterator[Row]:
    generator = random.Random(SEED)  # noqa: S311 - resampling, no secret
    return random_permutations([(stratum.a, stratum.b) for stratum in strata], SAMPLED, generator)


def _drawn(strata: Sequence[Stratum]) -> Iterator[Row]:
    generator = random.Random(SEED)  # noqa: S311 - resampling, no secret
    tables = [_table(s) if s.arrangements <= _LARGEST_TABLE else None for s in strata]
    for _ in range(SAMPLED):
        yield _sum(
            [
                generator.choice(table) if table is not None else _shuffled(stratum, generator)
                for stratum, table in zip(strata, tables, strict=True)
            ]
        )


def _table(stratum: Stratum) -> list[Row]:
    """The difference of every arrangement of one stratum."""
    rows = (*stratum.a, *stratum.b)
    return [_split(rows, frozenset(chosen)) for chosen in combinations(range(len(rows)), len(stratum.a))]


def _shuffled(stratum: Stratum, generator: random.Random) -> Row:
    rows = (*stratum.a, *stratum.b)
    return _split(rows, frozenset(generator.sample(range(len(rows)), len(stratum.a))))


def _split(rows: Sequence[Row], of_a: frozenset[int]) -> Row:
    return _difference(
        [row for index, row in enumerate(rows) if index in of_a],
        [row for index, row in enumerate(rows) if index not in of_a],
    )


def _difference(a: Sequence[Row], b: Sequence[Row]) -> Row:
    return tuple(
        math.fsum(of_b) / len(b) - math.fsum(of_a) / len(a)
        for of_a, of_b in zip(zip(*a, strict=True), zip(*b, strict=True), strict=True)
    )


def _sum(differences: Sequence[Row]) -> Row:
    return tuple(map(sum, zip(*differences, strict=True)))


def _share(seen: Sequence[Row], observed: Row, measure: int) -> float:
    least = abs(observed[measure]) * (1 - _ROUNDING)
    return sum(abs(row[measure]) >= least for row in seen) / len(seen)


def _family(seen: Sequence[Row], observed: Row, p: Row, together: Sequence[int]) -> Row:
    """The p of each measure against the largest standardised difference of all of them."""
    scale = {m: math.sqrt(math.fsum(row[m] ** 2 for row in seen) / len(seen)) for m in together}
    moving = [m for m in together if scale[m] > 0]
    largest = [max((abs(row[m]) / scale[m] for m in moving), default=0.0) for row in seen]
    judged = list(p)
    for m in moving:
        least = abs(observed[m]) / scale[m] * (1 - _ROUNDING)
        judged[m] = sum(value >= least for value in largest) / len(seen)
    return tuple(judged)
