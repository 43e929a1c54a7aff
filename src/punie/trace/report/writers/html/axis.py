"""Where a value stands on an axis, and which round values are written beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from punie.trace.report.figures import Unit

_TIMES: Final = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"), (1, "ns"))
_SIZES: Final = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"), (1, "B"))
_SCALED: Final[Mapping[Unit, tuple[tuple[int, str], ...]]] = {Unit.NANOSECONDS: _TIMES, Unit.BYTES: _SIZES}
_STEPS: Final = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from `low` to `high`, drawn from 0 to 100 %."""

    low: float
    high: float

    def at(self, value: float) -> str:
        """The place of a value, in percent of the width; what lies outside is put at the edge."""
        width = self.high - self.low
        share = (value - self.low) / width if width else 0.5  # one value alone stands in the middle
        return f"{100 * min(max(share, 0.0), 1.0):.2f}".rstrip("0").rstrip(".") + "%"

    def ticks(self, most: int = 5) -> Sequence[float]:
        """Round values inside, at most about so many."""
        step = _round_step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]


def scale_of(values: Iterable[float], *, from_zero: bool = False) -> Scale:
    """An axis that holds all of `values`, with some air; from zero, or where they lie."""
    known = list(values) or [0.0]
    low, high = min(known), max(known)
    if from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    air = 0.06 * (high - low) or abs(high) * 0.5 or 1.0
    return Scale(low if low == 0 and from_zero else low - air, high + air)


def tick_text(value: float, unit: Unit, largest: float) -> str:
    """A round value as short as it gets: `2 s`, `50 %`, `1.2×`. The `largest` of an axis chooses the unit."""
    if unit in _SCALED:
        size, name = next((item for item in _SCALED[unit] if abs(largest) >= item[0]), _SCALED[unit][-1])
        return f"{value / size:.6g} {name}" if value else "0"
    if unit is Unit.SHARE:
        return f"{100 * value:.4g} %"
    return f"{value:.4g}×" if unit is Unit.RATIO else f"{value:,.6g}"


def _round_step(least: float) -> float:
    power = 10 ** math.floor(math.log10(least)) if least > 0 else 1.0
    return next(step * power for step in _STEPS if step * power >= least * 0.999)
