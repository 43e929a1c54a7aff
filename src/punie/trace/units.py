"""Numbers to text and text to numbers: the only place where a unit is written or read.

Inside the project times are integer nanoseconds, sizes integer bytes and shares fractions of 1; they become
text here, at the very end, and flags such as `--target 10s` or `--max-memory 32GB` become numbers here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from punie.trace.errors import UsageError

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000

_DURATIONS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "ns": 1,
        "us": 1_000,
        "µs": 1_000,  # micro sign
        "μs": 1_000,  # Greek mu, what some keyboards type
        "ms": NS_PER_MS,
        "s": NS_PER_S,
        "min": 60 * NS_PER_S,
        "m": 60 * NS_PER_S,
        "h": 3600 * NS_PER_S,
    }
)
_SIZES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "b": 1,
        "kb": 10**3,
        "mb": 10**6,
        "gb": 10**9,
        "tb": 10**12,
        "kib": 2**10,
        "mib": 2**20,
        "gib": 2**30,
        "tib": 2**40,
    }
)
_TOO_LARGE: Final = 2**63  # 292 years in nanoseconds: what no clock and no memory holds
_MOST_SHOWN: Final = 30  # characters
_NUMBER_AND_PERCENT: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(%?)\s*", re.ASCII)
_NUMBER_AND_UNIT: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Zµμ]*)\s*", re.ASCII)


def duration_text(ns: float) -> str:
    """Nanoseconds as text: `1.234 s`, `12.34 s`, `12.3 ms`, `850 µs`, `40 ns`; 0 is `0 s`.

    Seconds have four significant digits and at most three decimals, smaller units three digits.
    """
    if ns < 0:
        return "-" + duration_text(-ns)
    if ns == 0:
        return "0 s"
    for unit, size in (("ns", 1), ("µs", 1_000), ("ms", NS_PER_MS)):
        text = _significant(ns / size, 3, most_decimals=0 if unit == "ns" else 2)
        if float(text) < 1_000:
            return f"{text} {unit}"
    return f"{_significant(ns / NS_PER_S, 4, most_decimals=3)} s"


def rough_duration_text(ns: float) -> str:
    """Nanoseconds as a guess: `12 s`, `4 min`, `2.5 h`; never less than a second."""
    seconds = max(1, round(ns / NS_PER_S))
    if seconds < 120:
        return f"{seconds} s"
    return f"{round(seconds / 60)} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"


def seconds_text(ns: float) -> str:
    """Nanoseconds as seconds without their unit, for a column that names it: `1.234`, `<.001`; 0 is `0`."""
    if 0 < ns < NS_PER_MS / 2:
        return "<.001"
    return f"{ns / NS_PER_S:.3f}" if ns else "0"


def share_text(share: float) -> str:
    """A fraction of 1 as percent with one decimal: `71.2 %`.

    What is not all or nothing is never printed as if it were: `< 0.1 %`, `> 99.9 %`.
    """
    percent = 100 * share
    if 0 < percent < 0.05:
        return "< 0.1 %"
    if 99.95 <= percent < 100:
        return "> 99.9 %"
    return f"{percent:.1f} %"


def percent_text(share: float) -> str:
    """A round fraction of 1, such as a threshold or a confidence level, as whole percent: `70 %`."""
    return f"{100 * share:.0f} %"


def confidence_text(level: float) -> str:
    """The level of an interval as percent: `95 %`, `97.5 %`, `98.33 %`."""
    return f"{100 * level:.4g} %"


def factor_text(factor: float, *, threshold: float | None = None) -> str:
    """A ratio of two times as text: `1.20×`; what misses a `threshold` is never rounded onto it: `1.1997×`."""
    return f"{factor_digits(factor, threshold=threshold)}×"


def factor_digits(factor: float, *, threshold: float | None = None) -> str:
    """The digits of `factor_text`."""
    texts = (f"{factor:.{decimals}f}" for decimals in range(2, 16))
    return next((text for text in texts if float(text) != threshold or factor == threshold), f"{factor!r}")


def signed_percent_text(share: float) -> str:
    """A change as percent with its sign: `+7.0 %`; what isn't nothing is never printed as if it were: `< +0.1 %`."""
    if 0 < abs(share) < 0.0005:
        return "< +0.1 %" if share > 0 else "> -0.1 %"
    return f"{100 * share:+.1f} %" if share else "0.0 %"


def bytes_text(size: float) -> str:
    """Bytes as text in powers of 1000: `850 B`, `1.2 MB`, `19.6 GB`."""
    if size < 0:
        return "-" + bytes_text(-size)
    if size < 1_000:
        return f"{size:.0f} B"
    for unit in ("kB", "MB", "GB"):
        size /= 1_000
        text = f"{size:.1f}"
        if float(text) < 1_000:
            return f"{text} {unit}"
    return f"{size / 1_000:.1f} TB"


def count_text(count: int, singular: str, plural: str = "") -> str:
    """A count with its noun: `1 query`, `5 queries`. Without `plural`, an s is added."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def parse_duration_ns(text: str, *, flag: str, zero: bool = False) -> int:
    """Nanoseconds of a text such as `10s`, `500ms`, `1.5 min`; units ns, us, ms, s, min (m), h.

    Raises UsageError, naming `flag`, without a unit, with an unknown one, or if it isn't above zero. With `zero`
    that is allowed, and `0` needs no unit.
    """
    if zero and text.strip() == "0":
        return 0
    return _parse(text, flag, _DURATIONS, example="10s or 500ms", zero=zero)


def parse_bytes(text: str, *, flag: str) -> int:
    """Bytes of a text such as `32GB` (powers of 1000) or `32GiB` (powers of 1024); the case doesn't matter.

    Raises UsageError, naming `flag`, without a unit, with an unknown one, or if it isn't above zero.
    """
    return _parse(text, flag, _SIZES, example="32GB or 512MB")


def parse_percent(text: str, *, flag: str) -> float:
    """A fraction of 1 of a text such as `5%` or `0.5 %`; 0 is allowed, and needs no sign.

    Raises UsageError, naming `flag`, also without the sign: 0.05 might be meant as 5 %.
    """
    match = _NUMBER_AND_PERCENT.fullmatch(text)
    if match is None:
        raise UsageError(f"{flag}: {text!r} is not a percentage", remedy=f"write {flag} 5%")
    value = Decimal(match.group(1))
    if value and not match.group(2):
        raise UsageError(f"{flag}: {text!r} has no % sign", remedy=f"write {flag} 5%")
    return float(_bounded(value, flag, text) / 100)


def _bounded(value: Decimal, flag: str, text: str) -> Decimal:
    if value < _TOO_LARGE:
        return value
    shown = text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
    raise UsageError(f"{flag}: {shown!r} is too large", remedy="is there a digit too many?")


def _significant(value: float, digits: int, *, most_decimals: int) -> str:
    """`value` with `digits` significant digits before and after the point; a carry doesn't add one."""
    whole_digits = len(str(int(value))) if value >= 1 else 0
    decimals = min(most_decimals, max(0, digits - max(whole_digits, 1)))
    text = f"{value:.{decimals}f}"
    if decimals and len(text) > digits + 1:  # 9.996 became 10.00
        text = f"{value:.{decimals - 1}f}"
    return text


def _parse(text: str, flag: str, units: Mapping[str, int], *, example: str, zero: bool = False) -> int:
    match = _NUMBER_AND_UNIT.fullmatch(text)
    if match is None:
        raise UsageError(f"{flag}: {text!r} is not a number with a unit", remedy=f"write {flag} {example}")
    number, unit = match.groups()
    if not unit:
        raise UsageError(f"{flag}: {text!r} has no unit", remedy=f"write {flag} {example}")
    if unit.lower() not in units:
        known = ", ".join(name for name in units if name.isascii())
        raise UsageError(f"{flag}: the unit {unit!r} is unknown", remedy=f"use one of: {known}")
    value = int(_bounded(Decimal(number) * units[unit.lower()], flag, text))
    if value < 0 or not (value or zero):
        raise UsageError(f"{flag}: {text!r} must be above zero", remedy=f"write {flag} {example}")
    return value


def time_left_text(ns: float) -> str:
    """An estimate, rounded as such: `40 s`, `3 min`, `2 h 10 min`."""
    seconds = ns / NS_PER_S
    if seconds < 90:
        return f"{max(5, round(seconds / 5) * 5)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
