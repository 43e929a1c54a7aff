"""A wordy answer holds the short one, whole, and nothing else of a dialogue changes."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from random import Random

from training.dialogues import Dialogue, DialogueMaker
from training.tokenizer import prefix_text
from training.wordiness import DATED, dated_prefix, rule, wordy

COUNT = 2_000


def dialogues() -> list[Dialogue]:
    return list(islice(DialogueMaker().stream(Random(11)), COUNT))  # noqa: S311 # invents text, keeps no secret


def test_an_answer_gets_words_around_it_as_often_as_the_rule_says() -> None:
    rng = Random(3)  # noqa: S311 # as above
    forms: Counter[str] = Counter()
    for short in dialogues():
        long = wordy(short, rng)
        phrases = rule().found if short.call else rule().known
        assert (long.question, long.call) == (short.question, short.call)
        before, answer, after = long.answer.partition(short.answer)
        assert answer
        assert before in ("", phrases.before)
        assert after in ("", phrases.after)
        form = {(True, True): "both", (True, False): "before", (False, True): "after"}
        forms[form.get((bool(before), bool(after)), "neither")] += 1
    assert sum(rule().shares.values()) == 100
    for name, share in rule().shares.items():
        assert abs(forms[name] / COUNT - share / 100) < 0.05, name


def test_now_and_then_the_instructions_begin_with_the_time_of_day() -> None:
    rng = Random(5)  # noqa: S311 # as above
    found = [dated_prefix(rng) for _ in range(400)]
    dated = [text for text in found if text != prefix_text()]
    assert abs(len(dated) / len(found) - DATED) < 0.1
    assert all(text.startswith("<|im_start|>system\nIt is 20") for text in dated)
    assert all(text.endswith(prefix_text().partition("You answer")[2]) for text in dated)
