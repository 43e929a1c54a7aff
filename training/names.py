"""Invented names: words glued together the way that programmers do it.

A model that has seen a fixed list of names copies only those. So half of the words here are made of pieces
of the tokenizer, in any order: every piece is met at every place of a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from training.resources import code_parts, resource_text

_NUMBERS = ("1", "2", "3", "8", "64", "256", "404", "500", "2024")


def word_list() -> list[str]:
    """English words and those of the standard library, all lowercase, in `words.txt`."""
    return resource_text("words.txt").split()


@dataclass(frozen=True, slots=True)
class NameMaker:
    """Makes names out of words and, if any are given, of tokenizer pieces (lowercase letters)."""

    words: Sequence[str] = field(default_factory=word_list)
    pieces: Sequence[str] = ()

    def word(self, rng: Random) -> str:
        """One lowercase word, real or glued from pieces."""
        if self.pieces and rng.random() < 0.5:
            count = rng.choice((1, 2, 2, 2, 3))
            return "".join(rng.choice(self.pieces) for _ in range(count))
        return rng.choice(self.words)

    def class_name(self, rng: Random) -> str:
        """`ShippingLabelForm`: one to three words, often with one of Django's endings."""
        count = rng.choice((1, 1, 1, 2, 2, 3))
        humps = [self.word(rng).capitalize() for _ in range(count)]
        if rng.random() < 0.08:
            humps.insert(0, rng.choice(("HTTP", "API", "URL", "SQL", "JSON", "CSV", "PDF", "VAT")))
        if rng.random() < 0.55:
            humps.append(rng.choice(code_parts()["class_endings"]))
        elif count == 1 and rng.random() < 0.5:
            humps.append(self.word(rng).capitalize())
        if rng.random() < 0.03:
            humps.insert(rng.randint(1, len(humps)), rng.choice(_NUMBERS))
        return "".join(humps)

    def function_name(self, rng: Random) -> str:
        """`send_reminder_mail`: two to three words joined by `_`."""
        words = [self.word(rng) for _ in range(rng.choice((1, 2, 2, 2, 3, 4)))]
        if rng.random() < 0.05:
            words.append(rng.choice(_NUMBERS))
        if len(words) == 1 or rng.random() < 0.35:
            words.insert(0, rng.choice(code_parts()["function_starts"]))
        return "_".join(words)

    def constant_name(self, rng: Random) -> str:
        """`RETRY_LIMIT`."""
        return "_".join(self.word(rng) for _ in range(rng.choice((1, 2, 2)))).upper()

    def identifier(self, rng: Random) -> str:
        """Any of the above, or one plain word."""
        draw = rng.random()
        if draw < 0.45:
            return self.class_name(rng)
        if draw < 0.82:
            return self.function_name(rng)
        return self.constant_name(rng) if draw < 0.9 else self.word(rng)

    def feature(self, rng: Random) -> str:
        """`loyalty points`: one or two words, as a person says it."""
        return " ".join(self.word(rng) for _ in range(rng.choice((1, 1, 2, 2))))

    def path(self, rng: Random) -> str:
        """`shop/cart.py`, relative to the project, without a leading `./`."""
        module = self._module(rng)
        folders = [self._folder(rng) for _ in range(rng.choice((0, 1, 1, 1, 1, 2)))]
        return "/".join([*folders, module])

    def _folder(self, rng: Random) -> str:
        return "_".join(self.word(rng) for _ in range(rng.choice((1, 1, 1, 2))))

    def _module(self, rng: Random) -> str:
        if rng.random() < 0.45:
            return rng.choice(code_parts()["usual_modules"]) + ".py"
        if rng.random() < 0.1:
            return rng.choice(("README.md", "manage.py", "notes.txt", "setup.cfg", "pyproject.toml"))
        return self._folder(rng) + ".py"
