"""A share as a ratio of sums, and how far it may be off.

The share of a run is (sum of the parts) / (sum of the wholes): long queries weigh as much as they took. Its
units are few and of very different length, so the usual percentile bootstrap is far too narrow; the methods
below were chosen by their coverage in simulation (`benchmarks/coverage.py`, docs/method/verdicts.md).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from punie.trace.analysis.statistics.distributions import t_quantile
from punie.trace.analysis.statistics.spread import Method

BOOTSTRAP_FROM: Final = 10
BOOTSTRAP_UP_TO: Final = 300  # beyond, jackknife-t agrees within a few percent, without the resampling
RESAMPLES: Final = 1_999
JACKKNIFE_EACH_UP_TO: Final = 100
JACKKNIFE_GROUPS: Final = 20
SEED: Final = 20_260_101
_CANCELS: Final = 1e-6  # beside a unit that is nearly all, a difference of sums has too few digits left
_NO_SPREAD: Final = 1e-12  # residuals of identical shares are rounding noise

Unit = TypeVar("Unit")


class RatioUnit(msgspec.Struct, frozen=True, gc=False):
    """One independent observation: `part` of a positive `whole`, in the same unit."""

    part: float
    whole: float


class HalfWidth(msgspec.Struct, frozen=True):
    """Half of an interval around the estimate, before it is cut at 0 and 1, and how it was found."""

    value: float
    method: Method


def ratio(units: Sequence[RatioUnit]) -> float | None:
    """The ratio of sums; None without units or if all wholes are zero."""
    whole = math.fsum([unit.whole for unit in units])
    return math.fsum([unit.part for unit in units]) / whole if whole > 0 else None


def half_width(units: Sequence[RatioUnit], *, level: float) -> HalfWidth | None:
    """The half-width at confidence `level`: jackknife-t below 10 units, symmetric bootstrap-t from there.

    None for fewer than two units. Deterministic: the resampling has a fixed seed. All wholes must be positive.
    Units that are nearly all alike starve the bootstrap (most resamples have no spread): jackknife-t then.
    """
    if len(units) < 2:
        return None
    if BOOTSTRAP_FROM <= len(units) <= BOOTSTRAP_UP_TO:
        value = bootstrap_t(units, level=level)
        if value is not None:
            return HalfWidth(value, Method.BOOTSTRAP_T)
    return HalfWidth(jackknife_t(units, level=level), Method.JACKKNIFE_T)


def jackknife_t(units: Sequence[RatioUnit], *, level: float) -> float:
    """Half-width from leaving each unit out once, with Student's t. Needs two units."""
    part = math.fsum([unit.part for unit in units])
    whole = math.fsum([unit.whole for unit in units])
    left_out = [
        (part - unit.part) / (whole - unit.whole)
        if whole - unit.whole > whole * _CANCELS
        else ratio([*units[:number], *units[number + 1 :]]) or 0.0
        for number, unit in enumerate(units)
    ]
    return jackknife_half_width(left_out, level=level)


def jackknife_half_width(left_out: Sequence[float], *, level: float) -> float:
    """Half-width from the estimates that leave one unit out each. Needs two. Source: Tukey 1958."""
    count = len(left_out)
    mean = math.fsum(left_out) / count
    variance = (count - 1) / count * math.fsum([(value - mean) ** 2 for value in left_out])
    return t_quantile((1 + level) / 2, count - 1) * math.sqrt(variance)


def jackknife_folds(units: Sequence[Unit]) -> list[Sequence[Unit]]:
    """What a jackknife leaves out at a time: each unit, of many units one of `JACKKNIFE_GROUPS` groups, dealt out.

    Where an estimate takes a pass over all units, leaving each out takes the square of their number. The jackknife over
    groups is as sound, with the t of so many groups. Source: Kott, "The Delete-a-Group Jackknife" (2001).
    """
    if len(units) <= JACKKNIFE_EACH_UP_TO:
        return [[unit] for unit in units]
    return [units[first::JACKKNIFE_GROUPS] for first in range(JACKKNIFE_GROUPS)]


def bootstrap_t(units: Sequence[RatioUnit], *, level: float) -> float | None:
    """Half-width from resampling |t|, each resample with its own linearised standard error.

    None if more than `1 - level` of the resamples have no spread of their own, so that no t exists for them.
    Source: Hall, "On symmetric bootstrap confidence intervals", JRSS B 50 (1988).
    """
    moments = _Moments.of(units)
    if moments is None:
        return 0.0
    generator = random.Random(SEED)  # noqa: S311 - resampling, no secret
    indices = range(len(units))
    t_values = sorted(moments.studentised(generator.choices(indices, k=len(units))) for _ in range(RESAMPLES))
    quantile = t_values[math.ceil(level * (RESAMPLES + 1)) - 1]
    return quantile * moments.standard_error if math.isfinite(quantile) else None


class _Moments(msgspec.Struct, frozen=True):
    """Residuals `part - ratio * whole` of every unit, their products, and the standard error of the ratio."""

    residual: list[float]
    whole: list[float]
    residual_squared: list[float]
    cross: list[float]
    whole_squared: list[float]
    standard_error: float

    @classmethod
    def of(cls, units: Sequence[RatioUnit]) -> _Moments | None:
        """The moments of `units`, wholes scaled to a mean of 1; None if all shares are the same."""
        scale = math.fsum(unit.whole for unit in units) / len(units)
        share = ratio(units) or 0.0
        whole = [unit.whole / scale for unit in units]
        residual = [(unit.part - share * unit.whole) / scale for unit in units]
        squared = [value * value for value in residual]
        error = _standard_error(math.fsum(squared), float(len(units)), len(units))
        if error < _NO_SPREAD:
            return None
        cross = [r * w for r, w in zip(residual, whole, strict=True)]
        return cls(residual, whole, squared, cross, [w * w for w in whole], error)

    def studentised(self, chosen: Sequence[int]) -> float:
        """|t| of the resample `chosen`; infinity if it has no spread but another ratio."""
        whole = sum(map(self.whole.__getitem__, chosen))
        shift = sum(map(self.residual.__getitem__, chosen)) / whole  # its ratio minus ours
        squares = (
            sum(map(self.residual_squared.__getitem__, chosen))
            - 2 * shift * sum(map(self.cross.__getitem__, chosen))
            + shift * shift * sum(map(self.whole_squared.__getitem__, chosen))
        )
        error = _standard_error(max(0.0, squares), whole, len(chosen))
        if error < _NO_SPREAD:
            return 0.0 if abs(shift) < _NO_SPREAD else math.inf
        return abs(shift) / error


def _standard_error(squares: float, whole: float, count: int) -> float:
    return math.sqrt(squares * count / (count - 1)) / whole
