"""The rule by which a short answer becomes a wordy one: `wordy.toml`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from random import Random

import msgspec

from training.dialogues import Dialogue
from training.resources import resource_text
from training.tokenizer import prefix_text

DATED = 0.25
"""The share of steps whose instructions begin with the time of day, as those of `examples/slow_agent` do."""


@dataclass(frozen=True, slots=True)
class Phrases:
    """What stands before and after a short answer."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Rule:
    """How answers are made longer: around what a tool found, around what the model knows, and how often each way."""

    found: Phrases
    known: Phrases
    shares: dict[str, int]


@cache
def rule() -> Rule:
    """What `wordy.toml` says."""
    return msgspec.toml.decode(resource_text("wordy.toml"), type=Rule)


def wordy(dialogue: Dialogue, rng: Random) -> Dialogue:
    """The same dialogue with a longer answer; as often as the rule says with a less long one, or as it was."""
    shares = rule().shares
    [form] = rng.choices(list(shares), list(shares.values()))
    phrases = rule().found if dialogue.call else rule().known
    before = phrases.before if form in ("both", "before") else ""
    after = phrases.after if form in ("both", "after") else ""
    return replace(dialogue, answer=f"{before}{dialogue.answer}{after}")


def dated_prefix(rng: Random) -> str:
    """What a prompt begins with; now and then it tells an invented date and time first."""
    if rng.random() >= DATED:
        return prefix_text()
    date = f"20{rng.randint(24, 30)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    clock = f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"
    return prefix_text().replace("You answer", f"It is {date} {clock}. You answer", 1)
