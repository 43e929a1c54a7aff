"""What an attribute that has no entry in `semconv` stands for, by the words of its name.

Each framework has its own names for a few things: `acme.usage.promptTokens`, `acme.span.kind`. Their words are the
same. What stands before the first word that is known names who wrote it, and says nothing else:

| words | what it holds |
| --- | --- |
| span kind, span type, run type | what the span is |
| input tokens, usage prompt, token count input, … | tokens of the prompt |
| output tokens, usage completion, … | tokens of the answer |
| cached tokens, cache read input tokens, … | tokens of the prompt that came from a cache |
| input token details, prompt tokens details | an object, as JSON or as Python prints it, with the cached tokens |
| cache creation input tokens, cache write tokens | tokens of the prompt that went into a cache |
| usage metadata, token usage | an object with all of these counts |
| finish reason, stop reason, … | why the answer ended |
| ttft, time to first token, ms to first chunk, … | when the first chunk came, in seconds or as the name says |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto
from functools import lru_cache
from types import MappingProxyType
from typing import Final, TypeGuard

from punie.trace import semconv
from punie.trace.attributes.types import COUNT
from punie.trace.model import Attributes, AttributeValue


class Meaning(Enum):
    """What an attribute holds."""

    KIND = auto()
    INPUT = auto()
    OUTPUT = auto()
    CACHED = auto()
    WRITTEN = auto()
    DETAILS = auto()
    FINISH = auto()
    FIRST = auto()
    USAGE = auto()


_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SUMS: Final = {"aggregated", "cumulative", "session", "sum"}
_OF_COUNTS: Final = {"usage", "token", "tokens"}
_FILLERS: Final = {*_OF_COUNTS, "count", "counts", "number", "n", "details"}
_INPUT: Final = {"input", "prompt"}
_OUTPUT: Final = {"output", "completion", "generated", "candidates"}
_CACHE: Final = {"cache", "cached"}
_FORMS: Final = {"json", "value", "text", "data", "messages"}
_ANSWERS: Final = {"output", "outputs", "response", "completion", "replies"}
_CHUNKS: Final = {"token", "chunk", "byte", "output"}
_PER_SECOND: Final[Mapping[str, int]] = MappingProxyType(
    {"ms": 1_000, "millis": 1_000, "milliseconds": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
)
_MOST: Final = int(COUNT.most)
_MOST_DIGITS: Final = len(str(_MOST))
_CACHED_DETAIL: Final = re.compile(r"cache(?:d|_?read)\w*['\"]?\s*:\s*(\d+)", re.IGNORECASE)
_COUNTS: Final[Mapping[frozenset[str], Meaning]] = MappingProxyType(
    {
        **{frozenset({word}): Meaning.INPUT for word in _INPUT},
        **{frozenset({word}): Meaning.OUTPUT for word in _OUTPUT},
        **{
            frozenset({"cached", *more}): Meaning.CACHED
            for more in ((), *((word,) for word in _INPUT), ("content",))
        },
        **{frozenset({"cache", *more}): Meaning.CACHED for more in (("input",), ("input", "prompt"))},
        **{
            frozenset({"cache", how, *more}): meaning
            for how, meaning in (
                ("read", Meaning.CACHED),
                ("creation", Meaning.WRITTEN),
                ("write", Meaning.WRITTEN),
            )
            for more in ((), ("input",), ("prompt",))
        },
    }
)
_ENDINGS: Final[Mapping[tuple[str, ...], Meaning]] = MappingProxyType(
    {
        ("span", "kind"): Meaning.KIND,
        ("span", "type"): Meaning.KIND,
        ("run", "type"): Meaning.KIND,  # LangSmith's runs
        **{
            (end, word): Meaning.FINISH
            for end in ("finish", "stop", "done")
            for word in ("reason", "reasons")
        },
        ("usage", "metadata"): Meaning.USAGE,
        ("token", "usage"): Meaning.USAGE,
        ("openai", "response", "status"): Meaning.FINISH,  # "incomplete"
        ("ai", "response", "status"): Meaning.FINISH,
    }
)


@lru_cache(maxsize=4096)
def meaning_of(name: str) -> Meaning | None:
    """What the attribute `name` holds by its words; None if they don't say, or if `semconv` has it."""
    if name in semconv.TABLE.types:
        return None
    words = [word.lower() for word in _WORDS.findall(name)]
    if "ttft" in words or ("first" in words[:-1] and words[words.index("first") + 1] in _CHUNKS):
        return Meaning.FIRST
    if words[-1:] == ["details"] and not _INPUT.isdisjoint(words) and not _OF_COUNTS.isdisjoint(words):
        return Meaning.DETAILS
    return _ENDINGS.get((*words[-2:],)) or _ENDINGS.get((*words[-3:],)) or _count_in(words)


def _count_in(words: list[str]) -> Meaning | None:
    known = _OF_COUNTS | _INPUT | _OUTPUT | _CACHE
    start = next((at for at, word in enumerate(words) if word in known), len(words))
    if _OF_COUNTS.isdisjoint(words) or not _SUMS.isdisjoint(words[:start]):
        return None
    return _COUNTS.get(frozenset(words[start:]) - _FILLERS)


@lru_cache(maxsize=4096)
def holds_an_answer(name: str) -> bool:
    """Whether the attribute `name` holds what a model gave back, by its words, be it in the table or not."""
    words = [word.lower() for word in _WORDS.findall(name)]
    while words and words[-1] in _FORMS:
        words.pop()
    return bool(words) and words[-1] in _ANSWERS


def has_meaning(attributes: Attributes, what: Meaning) -> bool:
    """Whether an attribute without an entry holds it."""
    return any(meaning_of(name) is what for name, value in attributes.items() if value is not None)


def count(attributes: Attributes, what: Meaning) -> int | None:
    """The count that attributes without an entry hold; None if there is none, or if they differ."""
    found = {_whole(value) for name, value in attributes.items() if meaning_of(name) is what} - {None}
    return found.pop() if len(found) == 1 else None


def cached_in_details(attributes: Attributes) -> int | None:
    """The cached tokens in an object of details: LangSmith writes Python's text of one."""
    details = (str(value) for name, value in attributes.items() if meaning_of(name) is Meaning.DETAILS)
    return next((_whole(found[1]) for one in details if (found := _CACHED_DETAIL.search(one))), None)


def first_chunk_s(attributes: Attributes) -> float | None:
    """Seconds to the first chunk, by the first attribute without an entry that has them.

    A whole number in a unit that isn't named stays one: it may be meant in milliseconds.
    """
    for name, value in attributes.items():
        if meaning_of(name) is Meaning.FIRST and _is_number(value):
            units = (_PER_SECOND.get(word.lower()) for word in _WORDS.findall(name))
            unit = next((unit for unit in units if unit is not None), None)
            return value if unit is None else value / unit
    return None


def finish_reasons(attributes: Attributes) -> AttributeValue:
    """Why the answer ended, by the first attribute without an entry that says so."""
    return next(
        (value for name, value in attributes.items() if value and meaning_of(name) is Meaning.FINISH), None
    )


def _is_number(value: AttributeValue) -> TypeGuard[int | float]:
    """Whether it is one that can be, as the table's are."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MOST


def _whole(value: AttributeValue) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        value = int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None
    return int(value) if _is_number(value) and value == value // 1 else None
