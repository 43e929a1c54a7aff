"""The wordings of questions: context x opener x verb x object x tail, so that none is learned by heart."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random

from training.resources import resource_text


@cache
def phrases() -> dict[str, list[str]]:
    """The lists of `wordings.toml` by name."""
    return tomllib.loads(resource_text("wordings.toml"))


@cache
def _common_words() -> list[str]:
    """The words of all wordings, the frequent ones often."""
    texts = (text for texts in phrases().values() for text in texts)
    return [word for text in texts for word in re.findall(r"[a-z']+", re.sub(r"\{\w\}", "", text.lower()))]


@dataclass(frozen=True, slots=True)
class Grammar:
    """Questions with `{x}`, or `{a}` and `{b}`, still open; `word` gives the words that don't matter."""

    word: Callable[[Random], str]

    def about(self, rng: Random, verbs: str, kind: str) -> str:
        """A command or a question about `{x}`, from the lists of these names."""
        lists = phrases()
        if kind == "use" and rng.random() < 0.15:
            return self._scrambled(rng, ["{x}"])
        if rng.random() < 0.6:
            text = _command(rng, lists[verbs], lists[f"{kind}_objects"])
        else:
            text = _question(rng, lists[f"{kind}_questions"])
        return self._finished(rng, text)

    def topic(self, rng: Random) -> str:
        """A general question about `{x}`."""
        return self._general(rng, "topic", 0.35)

    def pair(self, rng: Random) -> str:
        """A question that compares `{a}` with `{b}`."""
        return self._general(rng, "pair", 0.25)

    def _general(self, rng: Random, kind: str, tails: float) -> str:
        lists = phrases()
        if rng.random() < 0.3:
            return self._scrambled(rng, ["{a}", "{b}"] if kind == "pair" else ["{x}"])
        if rng.random() < 0.35:
            text = f"{rng.choice(lists['topic_openers'])} {rng.choice(lists[f'{kind}_clauses'])}"
            text += rng.choice(("", "", ".", "?"))
        else:
            text = _recombined(rng, lists[f"{kind}_questions"])
        if rng.random() < tails:
            text = _before_question_mark(text, rng.choice(lists["topic_tails"]))
        if rng.random() < 0.1:
            text = text.rstrip("?")
        return self._finished(rng, text)

    def _finished(self, rng: Random, text: str) -> str:
        """At times with a sentence around it, words lost or too many, or carelessly in lower case."""
        if rng.random() < 0.25:
            text = self._jittered(rng, text)
        if rng.random() < 0.12:
            text = rng.choice(phrases()["contexts"]) + (text if rng.random() < 0.5 else _lower_first(text))
        if rng.random() < 0.08:
            text = _before_question_mark(text, rng.choice(phrases()["after_contexts"]))
        while "{w}" in text:
            text = text.replace("{w}", self.word(rng), 1)
        return _lower_first(text) if rng.random() < 0.08 else text

    def _scrambled(self, rng: Random, marks: list[str]) -> str:
        """Any words around the names: what is asked about says what to do, when the wording says nothing."""
        words: list[str] = []
        for mark in marks:
            count = rng.choice((0, 1, 2, 3, 4, 5, 6, 7))
            words += [self._any_word(rng) for _ in range(count)] + [mark]
        words += [self._any_word(rng) for _ in range(rng.choice((0, 0, 1, 2, 3, 4)))]
        words = [word + rng.choice((",", ":", ".")) if rng.random() < 0.06 else word for word in words]
        text = " ".join(words) + rng.choice(("", "?", "?", "?", ".", "!"))
        return text if rng.random() < 0.2 or text.startswith("{") else text[0].upper() + text[1:]

    def _any_word(self, rng: Random) -> str:
        return rng.choice(_common_words()) if rng.random() < 0.75 else self.word(rng)

    def _jittered(self, rng: Random, text: str) -> str:
        """Some words dropped, some put in: the name that is asked about decides, not the phrase around it."""
        kept: list[str] = []
        for part in text.split(" "):
            if rng.random() < 0.07:
                kept.append(self.word(rng))
            if "{" in part or rng.random() > 0.13:
                kept.append(part)
        return " ".join(kept)


def _recombined(rng: Random, templates: list[str]) -> str:
    """At times the beginning of one template and the end of another, with the place for the name between them."""
    text = rng.choice(templates)
    if rng.random() < 0.3:
        mark = "{b}" if "{b}" in text else "{x}"
        text = text.split(mark)[0] + mark + rng.choice(templates).split(mark)[-1]
    return text


def _command(rng: Random, verbs: list[str], objects: list[str]) -> str:
    """`Please track down all uses of {x} in the repo`."""
    lists = phrases()
    text = f"{rng.choice(verbs)} {rng.choice(objects)}"
    text = rng.choice(lists["openers"]) + text if rng.random() < 0.4 else text[0].upper() + text[1:]
    return text + (rng.choice(lists["tails"]) if rng.random() < 0.5 else "")


def _question(rng: Random, questions: list[str]) -> str:
    """`Where is {x} used in our code?`."""
    text = _recombined(rng, questions)
    tail = rng.choice(phrases()["tails"][4:]).rstrip(".! ") if rng.random() < 0.35 else ""
    return text + tail + ("?" if rng.random() < 0.92 else "")


def _lower_first(text: str) -> str:
    return text if text.startswith(("{", "I ", "I'")) else text[:1].lower() + text[1:]


def _before_question_mark(text: str, tail: str) -> str:
    return f"{text[:-1]}{tail}?" if text.endswith("?") else text + tail
