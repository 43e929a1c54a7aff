"""One rule for the values of attributes, whatever a source writes them as: typed and bounded by `semconv.TABLE`.

Numbers, truths and lists that stand as text become what their names mean; text of names that aren't known stays text,
since "5" may be a name. A value that can't be what its name means (a count below 0, a memory of 10^300 bytes, NaN, an
object in place of a number) is left out. Both are counted by name, and become notes of the source.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from punie.trace import semconv
from punie.trace.attributes.types import AttributeKind, ValueType
from punie.trace.model import Attributes, AttributeValue, SourceNote, Span, SpanSet, StatusCode
from punie.trace.store.tags import has_error

NUMBERS_AS_TEXT: Final = "numbers-as-text"
LEFT_OUT: Final = "value-left-out"
_MOST: Final = 4_096  # attributes that are remembered: what has content hardly comes again
_TRUTHS: Final = MappingProxyType({"true": True, "false": False, "1": True, "0": False})
_NUMBER: Final = re.compile(r"[+-]?\d{1,25}(\.\d{0,25})?([eE][+-]?\d{1,3})?")
_BRACKETED: Final = re.compile(r"\[(.*)\]", re.DOTALL)


def with_typed_values(
    found: SpanSet, source: str, noted: Sequence[str] = (LEFT_OUT, NUMBERS_AS_TEXT)
) -> SpanSet:
    """`found` with the attributes of its spans and resources as their names mean them.

    What changed becomes notes that name the `source`, of the slugs `noted`.
    """
    reader = _Reader()
    plain = reader.plain
    spans = tuple(
        [
            span if id(span.attributes) in plain and id(span.resource) in plain else reader.read_span(span)
            for span in found.spans
        ]
    )
    notes = (note for note in reader.notes(source) if note.slug in noted)
    return replace(found, spans=spans, notes=(*found.notes, *notes))


@dataclass(slots=True)
class _Reader:
    """Counts by name what it changed or left out."""

    from_text: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    plain: dict[int, Attributes] = field(default_factory=dict)
    """Attributes that are as their names mean them and tell of no error, by their identity: many spans share one."""

    def read_span(self, span: Span) -> Span:
        attributes, resource = self.read(span.attributes), self.read(span.resource)
        status = span.status
        if len(self.plain) < _MOST:
            for read, own in ((attributes, span.attributes), (resource, span.resource)):
                if read is own and not has_error(own):
                    self.plain[id(own)] = own
        if status is StatusCode.UNSET and has_error(span.attributes):
            status = StatusCode.ERROR
        if attributes is span.attributes and resource is span.resource and status is span.status:
            return span
        return replace(span, attributes=attributes, resource=resource, status=status)

    def read(self, attributes: Attributes) -> Attributes:
        changed: dict[str, AttributeValue] = {}
        kinds = _checked_types((*attributes,))
        for (name, value), (kind, plain) in zip(attributes.items(), kinds, strict=True):
            if kind is None or value is None or type(value) is plain:
                continue
            typed = typed_value(kind, value)
            if typed is not value:
                changed[name] = typed
                self._count(name, value, typed)
        if not changed:
            return attributes
        read = {**attributes, **changed}
        return MappingProxyType({name: value for name, value in read.items() if value is not None})

    def _count(self, name: str, value: AttributeValue, typed: AttributeValue) -> None:
        if typed is None:
            self.left_out[name] += 1
        # one word is a list of one, and no more
        elif isinstance(value, str) and typed != (value.strip('"'),):
            self.from_text[name] += 1

    def notes(self, source: str) -> Iterator[SourceNote]:
        """A note a name, the most frequent first."""
        for slug, counts in ((LEFT_OUT, self.left_out), (NUMBERS_AS_TEXT, self.from_text)):
            for name, count in counts.most_common():
                yield SourceNote(slug, f"{source}: {name}", count)


def typed_value(kind: ValueType, value: AttributeValue) -> AttributeValue:
    """`value` as its type means it; itself if that is what it is already; None if it can't be."""
    match kind.kind:
        case AttributeKind.INTEGER | AttributeKind.NUMBER:
            return _number(kind, value)
        case AttributeKind.MEASURE:
            is_other = not isinstance(value, str | int | float) or isinstance(value, bool)
            is_other = is_other or (isinstance(value, str) and _from_text(value) is None)
            return value if is_other else _number(kind, value)
        case AttributeKind.TRUTH:
            return value if isinstance(value, bool) else _TRUTHS.get(str(value).strip().lower())
        case AttributeKind.WORDS | AttributeKind.INTEGERS:
            return _list(kind, value)
    return None if isinstance(value, Mapping | list | tuple) else value


def _number(kind: ValueType, value: AttributeValue) -> int | float | None:
    number = _from_text(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    if not kind.least <= number <= kind.most:  # NaN is within no bounds
        return None
    if kind.kind is not AttributeKind.INTEGER or isinstance(number, int):
        return number
    return int(number) if number.is_integer() else None


def _from_text(text: str) -> int | float | None:
    digits = text.strip()
    if _NUMBER.fullmatch(digits) is None:
        return None
    return int(digits) if digits.lstrip("+-").isdecimal() else float(digits)


def _list(kind: ValueType, value: AttributeValue) -> AttributeValue:
    if isinstance(value, str):
        value = _listed(value)
    if not isinstance(value, list | tuple):
        return None
    if kind.kind is AttributeKind.WORDS:
        return value if all(isinstance(item, str) for item in value) else None
    return value if all(isinstance(item, int) and kind.least <= item <= kind.most for item in value) else None


def _listed(text: str) -> tuple[AttributeValue, ...]:
    """A list as JSON, as Python writes it, or its items with commas between."""
    inside = _BRACKETED.fullmatch(text.strip())
    try:
        found = json.loads(text) if inside else text
    except (ValueError, RecursionError):
        found = inside[1] if inside else text
    if isinstance(found, list):
        return tuple(found)
    return tuple(item.strip(" '\"") for item in str(found).split(",") if item.strip(" '\""))


@lru_cache(4_096)
def _checked_types(names: tuple[str, ...]) -> tuple[tuple[ValueType | None, type | None], ...]:
    """The types of attributes by their names, of which a source has a few sets, and those that say it all."""
    kinds = map(_checked_type, names)
    return tuple((kind, None if kind is None else kind.kind.plain) for kind in kinds)


@lru_cache(4_096)
def _checked_type(name: str) -> ValueType | None:
    """The type of an attribute; None for one of which any value may stay as it is."""
    kind = semconv.TABLE.type_of(name)
    return None if kind is None or kind.kind is AttributeKind.TEXT else kind
