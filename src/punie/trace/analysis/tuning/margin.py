"""How many answers got worse, at most: what a number of queries can show."""

from __future__ import annotations

import math
from typing import Final

from punie.trace.analysis.statistics.distributions import clopper_pearson_lower

LEVEL: Final = 0.95
DEFAULT_MARGIN: Final = 0.10


def most_worse(worse: int, queries: int, *, level: float = LEVEL) -> float:
    """The exact one-sided upper bound of the share of queries that got worse; 1 without any query.

    With 0 of n worse it is `1 - (1 - level) ** (1 / n)`: 26 % at 10, 5 % at 59.
    Source: Clopper and Pearson, Biometrika 26 (1934).
    """
    return 1 - clopper_pearson_lower(queries - worse, queries, level=level) if queries else 1.0


def smallest_margin(queries: int, *, level: float = LEVEL) -> float:
    """The smallest margin that so many queries can show to be kept: with none of them worse."""
    return most_worse(0, queries, level=level)


def queries_for(margin: float, *, level: float = LEVEL) -> int:
    """How many queries, none of them worse, show that at most the share `margin` of them got worse.

    Raises ValueError for a margin that isn't between 0 and 1.
    """
    if not 0 < margin < 1:
        raise ValueError(f"a margin of {margin}")
    return math.ceil(math.log(1 - level) / math.log(1 - margin) - 1e-9)
