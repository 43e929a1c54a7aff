"""Other people's words, made harmless: names, answers, errors and paths may hold what a terminal obeys."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

MOST_NAMES: Final = 10
_MOST: Final = 1_000
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def inert(text: str) -> str:
    """`text` on one line, of printable characters alone.

    Line breaks and tabs become spaces, what formats without being seen (directions of writing, joiners) goes, and
    other controls, lone surrogates and unassigned characters become `\N{REPLACEMENT CHARACTER}`.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _stand_in(character) for character in text)


def _stand_in(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) == "Cf" else _REPLACEMENT


def one_line(text: str) -> str:
    """The same with one space between words, for a sentence that quotes somebody."""
    return " ".join(inert(text).split())


def readable(text: str) -> str:
    """`inert` text of which no more is left than anybody reads; JSON and CSV have all."""
    text = inert(text)
    return text if len(text) <= _MOST else f"{text[:_MOST]}… ({len(text):,} characters)"


def some(names: Sequence[str], most: int = MOST_NAMES) -> str:
    """The first `most` of other people's names, and how many more there are: a sentence is no list."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(one_line, names[:most])) + more
