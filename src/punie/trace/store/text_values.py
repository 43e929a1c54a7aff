"""Attributes of sources that keep every value as text: maps of the Collector's ClickHouse exporter, Parquet of them.

Only keys whose type is known (`semconv`) are read; what others say stays text, since "5" may be a name.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from punie.trace import semconv
from punie.trace.model import Attributes, AttributeValue, SourceNote
from punie.trace.store.otlp.values import array_in

SLUG: Final = "numbers-as-text"
_TRUTHS: Final = {"true": True, "false": False}


@dataclass(slots=True)
class TypedText:
    """Reads attributes, and counts by key what it took for more than text."""

    counts: Counter[str] = field(default_factory=Counter)

    def read(self, attributes: Attributes) -> Attributes:
        """`attributes` with the numbers, truths and lists that their keys stand for."""
        found = {
            key: typed
            for key, value in attributes.items()
            if isinstance(value, str) and (typed := _typed(key, value)) != value
        }
        self.counts.update(found.keys())
        return MappingProxyType({**attributes, **found}) if found else attributes

    def notes(self, file: str) -> tuple[SourceNote, ...]:
        """What was read so, a note a key, the most frequent first."""
        return tuple(SourceNote(SLUG, f"{file}: {key}", count) for key, count in self.counts.most_common())


def _typed(key: str, text: str) -> AttributeValue:
    if key in semconv.NUMBER_KEYS or key.startswith(semconv.NUMBER_SPACES):
        return _number(text)
    if key in semconv.TRUTH_KEYS:
        return _TRUTHS.get(text.lower(), text)
    return array_in(text) if key in semconv.LIST_KEYS else text


def _number(text: str) -> AttributeValue:
    """A whole number, else a float; text that is neither stays as it is."""
    digits = text.strip()
    if digits.removeprefix("-").isascii() and digits.removeprefix("-").isdecimal() and len(digits) <= 20:
        return int(digits)
    try:
        return float(digits)
    except ValueError:
        return text
