"""What chance makes of the differences of very many units, without dealing each of them to a side again and again.

Dealt to the sides at random, units have a sum whose covariance is known exactly, and which is normal where none of them
weighs much (Hoeffding's combinatorial central limit theorem, 1951). So units that weigh much are dealt one by one, each
by a coin of its own, and the sum of the others is drawn at once.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import is_, mul
from typing import Final, NamedTuple

Row = tuple[float, ...]
Sides = tuple[Sequence[Row], Sequence[Row]]

HEAVY: Final = 0.02  # of the variance of any measure: a unit with more of it is dealt by itself
_NO_VARIANCE: Final = 1e-12  # of a measure that others make up: rounding noise


class _Coin(NamedTuple):
    """What one unit adds to the differences on B and on A, and how likely it is on B."""

    on_b: Row
    on_a: Row
    chance_of_b: float


@dataclass(frozen=True, slots=True)
class _Stratum:
    """Units that are dealt to sides of `a` and `b` units; a pair is one row, its difference, and swaps as a whole."""

    light: Sequence[Row]
    a: int
    b: int
    is_pair: bool = False
    heavy: Sequence[Row] = ()

    @property
    def weight(self) -> float:
        """What a square of a row adds to the variance of the difference."""
        return 1.0 if self.is_pair else (1 / self.a + 1 / self.b) / (self.a + self.b - 1)

    def apart(self, rows: Sequence[Row]) -> Sequence[Row]:
        """How far `rows` are from the mean of the light ones, which make that up however they are dealt."""
        if self.is_pair or not self.light:
            return rows
        means = tuple([math.fsum(column) / len(self.light) for column in zip(*self.light, strict=True)])
        return [_less(row, means) for row in rows]

    def coins(self) -> Iterator[_Coin]:
        """Of the heavy units."""
        chance_of_b = 0.5 if self.is_pair else self.b / (self.a + self.b)
        for row in self.apart(self.heavy):
            yield _Coin(tuple([x / self.b for x in row]), tuple([-x / self.a for x in row]), chance_of_b)

    def split(self, limits: Sequence[float]) -> _Stratum:
        """With those of its light units that add more than `limits` among the heavy ones."""
        heavy, light = list(self.heavy), list[Row]()
        for row, apart in zip(self.light, self.apart(self.light), strict=True):
            is_heavy = any(x * x * self.weight > limit for x, limit in zip(apart, limits, strict=True))
            (heavy if is_heavy else light).append(row)
        return self if len(light) == len(self.light) else replace(self, light=light, heavy=heavy)


def random_permutations(strata: Sequence[Sides], draws: int, generator: random.Random) -> Iterator[Row]:
    """The sums over the strata of (mean of B - mean of A) of every measure, units dealt to their stratum's sides."""
    split = _split([_stratum(a, b) for a, b in strata])
    coins = [coin for stratum in split for coin in stratum.coins()]
    factor = _root(_covariance(split))
    for _ in range(draws):
        normal = [generator.gauss(0.0, 1.0) for _ in factor]
        rows = [coin.on_b if generator.random() < coin.chance_of_b else coin.on_a for coin in coins]
        if factor:  # else every unit weighs much
            rows.append(tuple([sum(map(mul, row, normal)) for row in factor]))
        yield tuple(map(sum, zip(*rows, strict=True)))


def _stratum(a: Sequence[Row], b: Sequence[Row]) -> _Stratum:
    if len(a) == len(b) == 1:
        return _Stratum([_less(b[0], a[0])], 1, 1, is_pair=True)
    return _Stratum([*a, *b], len(a), len(b))


def _less(row: Row, other: Row) -> Row:
    return tuple([value - less for value, less in zip(row, other, strict=True)])


def _split(strata: Sequence[_Stratum]) -> Sequence[_Stratum]:
    """Heavy units apart, again and again: of the light ones that are left none weighs much."""
    while True:
        limits = [
            HEAVY * math.fsum(parts) for parts in zip(*filter(None, map(_variances, strata)), strict=True)
        ]
        strata_of_halves = [stratum.split(limits) for stratum in strata]
        if all(map(is_, strata_of_halves, strata)):
            return strata
        strata = strata_of_halves


def _covariance(strata: Sequence[_Stratum]) -> list[list[float]]:
    """Of the differences of every two measures: the lower triangle."""
    parts = [_products(stratum) for stratum in strata if stratum.light]
    return [[math.fsum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*parts, strict=True)]


def _variances(stratum: _Stratum) -> Row:
    columns = zip(*stratum.apart(stratum.light), strict=True)
    return tuple([stratum.weight * math.fsum(map(mul, column, column)) for column in columns])


def _products(stratum: _Stratum) -> list[list[float]]:
    columns = list(zip(*stratum.apart(stratum.light), strict=True))
    return [
        [stratum.weight * math.fsum(map(mul, column, other)) for other in columns[: m + 1]]
        for m, column in enumerate(columns)
    ]


def _root(covariance: Sequence[Sequence[float]]) -> list[list[float]]:
    """The lower triangular root, with zeros where a measure is made up of others. Source: Cholesky."""
    root: list[list[float]] = []
    for m, row in enumerate(covariance):
        solved: list[float] = []
        for n, value in enumerate(row[:m]):
            rest = value - math.fsum(map(mul, solved, root[n]))
            solved.append(rest / root[n][n] if root[n][n] else 0.0)
        rest = row[m] - math.fsum(map(mul, solved, solved))
        root.append([*solved, math.sqrt(rest) if rest > _NO_VARIANCE * row[m] else 0.0])
    return root
