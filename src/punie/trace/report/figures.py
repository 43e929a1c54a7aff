"""Figures with the text in which people read them: the only way from a number to a cell of a report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol

from punie.trace.units import (
    bytes_text,
    duration_text,
    factor_digits,
    factor_text,
    percent_text,
    seconds_text,
    share_text,
    signed_percent_text,
)

NOT_KNOWN: Final = "not known"
DASH: Final = "–"


class Unit(StrEnum):
    """What a figure's raw number counts."""

    NANOSECONDS = "ns"
    BYTES = "bytes"
    SHARE = "share"  # a fraction of 1
    RATIO = "ratio"  # of two times; 1 is no change
    PROBABILITY = "p"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number: raw, in its unit, and as people read it. `value` is None where it is not known.

    `low` and `high` are the ends of its interval, in the same unit.
    """

    value: float | None
    unit: Unit
    shown: str
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        return self.shown


def duration(ns: float | None, *, absent: str = DASH) -> Figure:
    """Nanoseconds as `12.3 ms`."""
    return Figure(ns, Unit.NANOSECONDS, absent if ns is None else duration_text(ns))


def at_least(ns: float) -> Figure:
    """Nanoseconds of which there may be more: `≥ 12.3 ms`; "not known" of nothing."""
    if not ns:
        return duration(None, absent=NOT_KNOWN)
    return Figure(None, Unit.NANOSECONDS, f"≥ {duration_text(ns)}", low=ns)


def seconds(ns: float | None, *, known: bool = True) -> Figure:
    """Nanoseconds as seconds, for a table whose title names the unit; `≥` where there may be more."""
    if ns is None or not (known or ns):
        return duration(None)
    if known:
        return Figure(ns, Unit.NANOSECONDS, seconds_text(ns))
    return Figure(None, Unit.NANOSECONDS, f"≥{seconds_text(ns)}", low=ns)


def signed_duration(ns: float) -> Figure:
    """A difference of two times: `+12.3 ms`."""
    return Figure(ns, Unit.NANOSECONDS, f"+{duration_text(ns)}" if ns > 0 else duration_text(ns))


def share(value: float | None, *, absent: str = DASH) -> Figure:
    """A fraction of 1 as `71.2 %`."""
    return Figure(value, Unit.SHARE, absent if value is None else share_text(value))


def percent(value: float | None) -> Figure:
    """A fraction of 1 as whole percent, where more digits would say nothing: `71 %`."""
    return Figure(value, Unit.SHARE, DASH if value is None else percent_text(value))


def signed_share(ratio: float | None) -> Figure:
    """A ratio as what it adds: 1.07 is `+7.0 %`."""
    return Figure(ratio, Unit.RATIO, DASH if ratio is None else signed_percent_text(ratio - 1))


def size(value: float | None, *, absent: str = DASH) -> Figure:
    """Bytes as `19.6 GB`."""
    return Figure(value, Unit.BYTES, absent if value is None else bytes_text(value))


def factor(value: float | None, *, absent: str = DASH) -> Figure:
    """A ratio of two times as `1.20×`."""
    return Figure(value, Unit.RATIO, absent if value is None else factor_text(value))


class IntervalEnds(Protocol):
    """Whatever has the ends of an interval."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end."""


def speed_up(
    value: float | None, ends: IntervalEnds | None = None, *, times: str = "×", threshold: float | None = None
) -> Figure:
    """A ratio of two times with its interval: `1.20× (1.10–1.30)`; no end is rounded onto a `threshold` it misses."""
    if value is None or ends is None:
        return replace(factor(value), shown=DASH if value is None else f"{value:.2f}{times}")
    low, high = (factor_digits(end, threshold=threshold) for end in (ends.low, ends.high))
    return Figure(value, Unit.RATIO, f"{value:.2f}{times} ({low}–{high})", ends.low, ends.high)


def count(value: float | None, *, decimals: int = 0) -> Figure:
    """A number of things."""
    return Figure(value, Unit.COUNT, DASH if value is None else f"{value:.{decimals}f}")


def probability(p: float | None) -> Figure:
    """A p-value with two significant digits, not below what 4999 arrangements can show."""
    shown = DASH if p is None else "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
    return Figure(p, Unit.PROBABILITY, shown)


def interval(low: Figure, high: Figure) -> Figure:
    """From one figure to another: `1.2 ms to 3.4 ms`."""
    return Figure(None, low.unit, f"{low} to {high}", low.value, high.value)


def part(some: int, whole: int) -> Figure:
    """So many of so many: `3 of 5`."""
    return Figure(some, Unit.COUNT, f"{some} of {whole}")
