"""Times as text, to the nanosecond: `datetime` has no more than microseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from punie.trace.store.otlp.values import Unreadable, integer

_TIMESTAMP: Final = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(.*)")
_OF_EPOCH: Final = re.compile(
    r"(\d{10}|\d{13})\.(\d{1,9})"
)  # seconds; milliseconds (the Collector's to Elasticsearch)
_AMERICAN: Final = re.compile(  # Azure's portal to CSV
    r"(\d{1,2})/(\d{1,2})/(\d{4}), (\d{1,2}):(\d\d:\d\d(?:\.\d{1,9})?)\s([AP])M"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_SECOND: Final = 1_000_000_000
_NANOSECOND_DIGITS: Final = 19  # of a time of this century
_FRACTION_DIGITS: Final = 9


def timestamp_ns(value: object) -> int | None:
    """Nanoseconds: from a whole number of them, (milli)seconds with a point, or text (UTC without an offset)."""
    number = integer(value)
    if number is not None:
        return number
    value = repr(value) if isinstance(value, float) else value
    if isinstance(value, str) and (of_epoch := _OF_EPOCH.fullmatch(value)):
        return int(f"{of_epoch[1]}{of_epoch[2]}".ljust(_NANOSECOND_DIGITS, "0")[:_NANOSECOND_DIGITS])
    if isinstance(value, str) and (american := _AMERICAN.fullmatch(value)):
        month, day, year, hour, rest, half = american.groups()
        value = f"{year}-{month:>02}-{day:>02}T{int(hour) % 12 + 12 * (half == 'P'):02}:{rest}"
    parts = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if parts is None:
        return None
    try:
        at = datetime.fromisoformat(f"{parts[1]}{parts[3]}")
    except ValueError:
        return None
    since = (at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH
    fraction_ns = int((parts[2] or "0").ljust(_FRACTION_DIGITS, "0"))
    return (since.days * 86_400 + since.seconds) * _NS_PER_SECOND + fraction_ns


def required_ns(value: object, name: str) -> int:
    """As `timestamp_ns`. Raises `Unreadable`, with the field's `name`, if it is no time."""
    time_ns = timestamp_ns(value)
    if time_ns is None or time_ns < 0:
        raise Unreadable(f"{name} {str(value)[:40]!r} is no time in ISO 8601")
    return time_ns
