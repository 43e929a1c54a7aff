"""Times as text, to the nanosecond: `datetime` has no more than microseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from punie.trace.store.otlp.values import Unreadable, integer

_TIMESTAMP: Final = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(.*)")
_MILLISECONDS: Final = re.compile(r"(\d{13})\.(\d{1,6})")  # the Collector's to Elasticsearch
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_SECOND: Final = 1_000_000_000
_NS_PER_MILLISECOND: Final = 1_000_000
_FRACTION_DIGITS: Final = 9


def timestamp_ns(value: object) -> int | None:
    """Nanoseconds: from a whole number of them, milliseconds with a point, or ISO 8601 (UTC where it has no offset)."""
    number = integer(value)
    if number is not None:
        return number
    if isinstance(value, str) and (of_epoch := _MILLISECONDS.fullmatch(value)):
        return int(of_epoch[1]) * _NS_PER_MILLISECOND + int(of_epoch[2].ljust(_FRACTION_DIGITS - 3, "0"))
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
