"""What an attribute's value may be, and whether it may leave the machine: the types that `semconv` gives its names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class AttributeKind(StrEnum):
    """What a value is, whatever a source writes it as."""

    TEXT = "text"
    WORD = "word"  # one word: an id, a digest, a model, a slug
    NAME = "name"  # what somebody called something: short, on one line
    ERROR = "error"  # an error's type; a message behind it is no part of it
    URL = "url"
    TRUTH = "truth"
    INTEGER = "integer"
    NUMBER = "number"
    MEASURE = "measure"  # a number as far as is known: of a family of names, one may be something else
    WORDS = "words"  # a list of words
    INTEGERS = "integers"  # a list of integers

    @property
    def plain(self) -> type | None:
        """The type of which every value is one of the kind; None if the value has to be looked at."""
        return _PLAIN.get(self)


_PLAIN: Final = {
    AttributeKind.WORD: str,
    AttributeKind.NAME: str,
    AttributeKind.ERROR: str,
    AttributeKind.URL: str,
    AttributeKind.TRUTH: bool,
}


@dataclass(frozen=True, slots=True)
class ValueType:
    """A kind with its limits.

    `travels`: the value may leave the machine unasked, where it has the form of its kind. `is_content`: it may quote
    a prompt, an answer or a tool call. `least` and `most` bound numbers, `one_of` lists the words that may travel.
    """

    kind: AttributeKind
    travels: bool = True
    is_content: bool = False
    least: float = 0
    most: float = 2**63 - 1
    one_of: frozenset[str] = frozenset()


TEXT: Final = ValueType(AttributeKind.TEXT, travels=False)
CONTENT: Final = ValueType(AttributeKind.TEXT, travels=False, is_content=True)
CONTENT_WORDS: Final = ValueType(AttributeKind.WORDS, travels=False, is_content=True)
CONTENT_INTEGERS: Final = ValueType(AttributeKind.INTEGERS, travels=False, is_content=True)
WORD: Final = ValueType(AttributeKind.WORD)
WORDS: Final = ValueType(AttributeKind.WORDS)
NAME: Final = ValueType(AttributeKind.NAME)
ERROR: Final = ValueType(AttributeKind.ERROR)
URL: Final = ValueType(AttributeKind.URL)
TRUTH: Final = ValueType(AttributeKind.TRUTH)
COUNT: Final = ValueType(AttributeKind.INTEGER, most=10**12)
COUNTS: Final = ValueType(AttributeKind.INTEGERS, least=-1, most=10**12)  # -1: not known
INTEGER: Final = ValueType(AttributeKind.INTEGER, least=-(2**63))
PORT: Final = ValueType(AttributeKind.INTEGER, most=65_535)
HTTP_CODE: Final = ValueType(AttributeKind.INTEGER, most=999)
BYTES: Final = ValueType(AttributeKind.INTEGER, most=2**60)
NANOSECONDS: Final = ValueType(AttributeKind.INTEGER)
SECONDS: Final = ValueType(AttributeKind.NUMBER, most=1e10)
MEASURE: Final = ValueType(AttributeKind.MEASURE, most=1e15)
RATE: Final = ValueType(AttributeKind.NUMBER, most=1e12)
NUMBER: Final = ValueType(AttributeKind.NUMBER, least=-1e12, most=1e12)


def one_of(*words: str) -> ValueType:
    """A word of a closed list."""
    return replace(WORD, one_of=frozenset(words))


class Names(tuple[str, ...]):
    """Several names of one attribute, the one that counts first; `every` shows quickly that none of them is there."""

    every: frozenset[str]

    def __new__(cls, names: Iterable[str]) -> Names:
        """In the order in which they count."""
        made = super().__new__(cls, names)
        made.every = frozenset(made)
        return made


@dataclass(frozen=True, slots=True)
class AttributeTable:
    """The type of every attribute that is known by its name, or by how its name begins (a family)."""

    _types: dict[str, ValueType] = field(default_factory=dict)
    _families: dict[str, ValueType] = field(default_factory=dict)

    def name(self, kind: ValueType, name: str) -> str:
        """Enter an attribute with one name, and give the name."""
        self._types[name] = kind
        return name

    def names(self, kind: ValueType, names: str) -> tuple[str, ...]:
        """Enter an attribute with several names, with blanks between, and give them.

        The first that is set counts, the first is written.
        """
        self._types.update(dict.fromkeys(names.split(), kind))
        return Names(names.split())

    def family(self, kind: ValueType, *beginnings: str) -> None:
        """Enter all attributes whose names begin so and that have no entry of their own."""
        self._families.update(dict.fromkeys(beginnings, kind))

    @property
    def types(self) -> Mapping[str, ValueType]:
        """The type of each name, families aside."""
        return MappingProxyType(self._types)

    def type_of(self, name: str) -> ValueType | None:
        """The type of an attribute; None for one that isn't known."""
        type_ = self._types.get(name)
        if type_ is not None:
            return type_
        return next((kind for start, kind in self._families.items() if name.startswith(start)), None)

    def content(self) -> Iterator[str]:
        """The names of what may quote a prompt, an answer or a tool call, in the order of the table."""
        return (name for name, kind in self._types.items() if kind.is_content)
