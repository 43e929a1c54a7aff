"""How often a converted model writes exactly what was meant, over invented dialogues that it was not trained on.

The score over real questions with real tools is another one: `tests/demo` asks them through the real server.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from mlx_lm import load, stream_generate
from tokenizers import Tokenizer

from training.dialogues import Dialogue, DialogueMaker
from training.names import NameMaker
from training.tokenizer import END_OF_TURN, name_pieces, prefix_text, turns

LONGEST_ANSWER = 150


@dataclass(frozen=True, slots=True)
class Exactness:
    """Turns of the assistant that came out word for word, of those that were asked for."""

    calls_right: int
    calls: int
    grounded_right: int
    direct_right: int
    direct: int

    def line(self) -> str:
        """One line for a log."""
        return (
            f"calls {self.calls_right}/{self.calls}, answers after a call {self.grounded_right}/{self.calls}, "
            f"direct answers {self.direct_right}/{self.direct}"
        )


def measure(folder: Path, *, seed: int, dialogues: int = 200) -> Exactness:
    """Asks the model in `folder` for each turn of fresh dialogues, the turns before it given as they should be."""
    model, wrapped, *_ = load(str(folder))
    names = NameMaker(pieces=name_pieces(Tokenizer.from_file(str(folder / "tokenizer.json"))))
    asked = list(islice(DialogueMaker(names).stream(Random(f"evaluation {seed}")), dialogues))  # noqa: S311 # invents text, keeps no secret
    results = [(dialogue, _turns_right(model, wrapped, dialogue)) for dialogue in asked]
    with_call = [right for dialogue, right in results if dialogue.call]
    direct = [right for dialogue, right in results if not dialogue.call]
    return Exactness(
        calls_right=sum(right[0] for right in with_call),
        calls=len(with_call),
        grounded_right=sum(right[1] for right in with_call),
        direct_right=sum(right[0] for right in direct),
        direct=len(direct),
    )


def _turns_right(model: Any, wrapped: Any, dialogue: Dialogue) -> list[bool]:  # noqa: ANN401 - mlx_lm is untyped
    before, right = prefix_text(), []
    for text, written in turns(dialogue):
        if written:
            prompt = wrapped.encode(before, add_special_tokens=False)
            answers = stream_generate(model, wrapped, prompt, max_tokens=LONGEST_ANSWER)
            right.append("".join(part.text for part in answers) == text.removesuffix(END_OF_TURN))
        before += text
    return right
