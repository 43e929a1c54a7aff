"""The wordings of questions: opener x verb x object x tail, so that no wording is learned by heart."""

from __future__ import annotations

import tomllib
from functools import cache
from random import Random

from punie.trace.demo.training.resources import resource_text


@cache
def phrases() -> dict[str, list[str]]:
    """The lists of `wordings.toml` by name."""
    return tomllib.loads(resource_text("wordings.toml"))


def command(rng: Random, verbs: list[str], objects: list[str]) -> str:
    """`Please track down all uses of {x} in the repo`, with `{x}` still open."""
    text = f"{rng.choice(verbs)} {rng.choice(objects)}"
    opener = rng.choice(phrases()["openers"]) if rng.random() < 0.45 else ""
    text = opener + text if opener else text[0].upper() + text[1:]
    return text + (rng.choice(phrases()["tails"]) if rng.random() < 0.55 else "")


def question(rng: Random, questions: list[str]) -> str:
    """`Where is {x} used in our code?`, with `{x}` still open."""
    text = rng.choice(questions)
    if rng.random() < 0.15:
        text = (
            rng.choice(phrases()["openers"][6:8] + phrases()["openers"][12:13]) + text[0].lower() + text[1:]
        )
    tail = rng.choice(phrases()["tails"][4:]).rstrip(".! ") if rng.random() < 0.35 else ""
    return text + tail + ("?" if rng.random() < 0.92 else "")


def about(rng: Random, verbs: str, kind: str) -> str:
    """A command or a question about `{x}`, from the lists of these names; sometimes carelessly in lower case."""
    lists = phrases()
    if rng.random() < 0.6:
        text = command(rng, lists[verbs], lists[f"{kind}_objects"])
    else:
        text = question(rng, lists[f"{kind}_questions"])
    return text[0].lower() + text[1:] if rng.random() < 0.08 else text


def topic_wording(rng: Random) -> str:
    """A general question about `{x}`."""
    text = rng.choice(phrases()["topic_questions"])
    if rng.random() < 0.4:
        text = _before_question_mark(text, rng.choice(phrases()["topic_tails"]))
    return _careless(rng, text)


def pair_wording(rng: Random) -> str:
    """A question that compares `{a}` with `{b}`."""
    text = rng.choice(phrases()["pair_questions"])
    if rng.random() < 0.25:
        text = _before_question_mark(text, rng.choice(phrases()["topic_tails"]))
    return _careless(rng, text)


def _before_question_mark(text: str, tail: str) -> str:
    return f"{text[:-1]}{tail}?" if text.endswith("?") else text + tail


def _careless(rng: Random, text: str) -> str:
    if rng.random() < 0.1 and not text.startswith("{"):
        text = text[0].lower() + text[1:]
    if rng.random() < 0.1:
        text = text.rstrip("?")
    return text if text.endswith("?") or rng.random() < 0.5 else text + "."
