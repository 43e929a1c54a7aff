"""Student's t and the binomial distribution, from the incomplete beta function; standard library only."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Final

_TINY: Final = 1e-300
_PRECISION: Final = 1e-15
_MOST_TERMS: Final = 10_000
_BISECTIONS: Final = 200


@lru_cache(maxsize=1024)
def t_quantile(probability: float, degrees: int) -> float:
    """The value that Student's t with `degrees` of freedom stays below with `probability`.

    Raises ValueError unless 0 < probability < 1 and degrees >= 1.
    """
    if not 0 < probability < 1 or degrees < 1:
        raise ValueError(f"t quantile at {probability} with {degrees} degrees of freedom")
    if probability < 0.5:
        return -t_quantile(1 - probability, degrees)
    high = 1.0
    while t_cdf(high, degrees) < probability:
        high *= 2
    return _bisect(lambda value: t_cdf(value, degrees) - probability, 0.0, high)


def t_cdf(value: float, degrees: int) -> float:
    """The probability that Student's t with `degrees` of freedom is at most `value`."""
    square = value * value
    tail = incomplete_beta(degrees / 2, 0.5, degrees / (degrees + square)) / 2
    return 1 - tail if value > 0 else tail


def clopper_pearson_lower(successes: int, trials: int, *, level: float) -> float:
    """The exact one-sided lower bound of a success rate at confidence `level`.

    All of n right give `(1 - level) ** (1 / n)`: 0.549 for 5 of 5 at 95 %. None right give 0.
    Source: Clopper and Pearson, Biometrika 26 (1934). Raises ValueError unless 0 <= successes <= trials,
    trials >= 1 and 0 < level < 1.
    """
    if trials < 1 or not 0 <= successes <= trials or not 0 < level < 1:
        raise ValueError(f"bound for {successes} of {trials} at {level}")
    if successes == 0:
        return 0.0
    alpha = 1 - level
    if successes == trials:
        return float(alpha ** (1 / trials))
    return _bisect(lambda rate: at_least(successes, trials, rate) - alpha, 0.0, 1.0)


def at_least(successes: int, trials: int, rate: float) -> float:
    """The probability of `successes` or more in `trials` independent trials of success rate `rate`."""
    if successes <= 0:
        return 1.0
    return incomplete_beta(successes, trials - successes + 1, rate)


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction.

    Source: Didonato and Morris, ACM TOMS 18 (1992); the fraction is evaluated by Lentz's method, on the side
    of the mean where it converges fast.
    """
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta) / a
    return front * _beta_fraction(a, b, x)


def _beta_fraction(a: float, b: float, x: float) -> float:
    upper = 1.0
    lower = 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    result = lower
    for step in range(1, _MOST_TERMS):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        for term in (even, odd):
            lower = 1 / _away_from_zero(1 + term * lower)
            upper = _away_from_zero(1 + term / upper)
            result *= upper * lower
        if abs(upper * lower - 1) < _PRECISION:
            return result
    raise ArithmeticError(f"incomplete beta of a={a}, b={b}, x={x} did not converge")


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """Where the rising `function` crosses zero between `low` and `high`, by bisection."""
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return (low + high) / 2
