"""The byte-level BPE tokenizer that target and draft share, and the chat template beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from random import Random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from training.dialogues import SYSTEM_PROMPT, Dialogue, DialogueMaker, topics
from training.resources import resource_text

VOCABULARY_SIZE = 1536
END_OF_TURN = "<|im_end|>"
PADDING = "<|endoftext|>"
SPECIAL_TOKENS = (PADDING, "<|im_start|>", END_OF_TURN)
CALL_MARKS = ("<tool_call>", "</tool_call>")

# Words split at case changes; `_` and `.` go with the piece that follows; digits and spaces stand alone, so a
# name is cut the same way after a space, a quote or a slash, and can be copied piece by piece. The scaffold of
# a tool call comes first, so that it becomes a few whole tokens.
_PIECES = (
    r'\{"name": "run_command", "arguments": \{"command": "|\{"name": "read_file", "arguments": \{"path": "|'
    r'grep -rnE \\"|grep -rniE \\"|grep -rn \\"|\\" \."\}\}|"\}\}|'
    r"\./|[._]?[A-Z]+(?![a-z])|[._]?[A-Z]?[a-z]+|[0-9]|\n[ ]*|[ ]+|[^\sA-Za-z0-9]"
)

# What PydanticAI sends for the default agent's tools, as far as the template reads it.
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"properties": {argument: {}}}}}
    for name, argument in (("run_command", "command"), ("read_file", "path"))
]


def chat_template() -> str:
    """ChatML with `<tool_call>`, which makes mlx_lm choose its JSON parser for tool calls."""
    return resource_text("chat_template.jinja").rstrip("\n")


def prefix_text() -> str:
    """What every prompt of the default agent begins with."""
    tools = "".join(
        f"{name}({argument})\n" for name, argument in (("run_command", "command"), ("read_file", "path"))
    )
    return f"<|im_start|>system\n{SYSTEM_PROMPT}\n<tools>\n{tools}</tools><|im_end|>\n"


def turns(dialogue: Dialogue) -> list[tuple[str, bool]]:
    """The text after the prefix, in parts; True marks what the assistant writes, the end of its turn included."""
    parts = [(f"<|im_start|>user\n{dialogue.question}<|im_end|>\n<|im_start|>assistant\n", False)]
    if call := dialogue.call:
        arguments = json.dumps({call.argument: call.value}, ensure_ascii=False)
        written = f'<tool_call>{{"name": "{call.tool}", "arguments": {arguments}}}</tool_call>{END_OF_TURN}'
        parts += [
            (written, True),
            (f"\n<|im_start|>tool\n{call.output}<|im_end|>\n<|im_start|>assistant\n", False),
        ]
    return [*parts, (dialogue.answer + END_OF_TURN, True)]


def train_tokenizer(seed: int, dialogues: int = 20_000) -> Tokenizer:
    """Learns the pieces from dialogues with invented names; the same seed gives the same tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    marks = [AddedToken(mark, special=False, normalized=False) for mark in CALL_MARKS]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE - len(marks),
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(seed, dialogues), trainer)
    tokenizer.add_tokens(marks)
    return tokenizer


def _texts(seed: int, dialogues: int) -> Iterable[str]:
    # Invented names would take every merge from ordinary words: tool output counts little, the topics more.
    yield from [prefix_text()] * 500
    for topic in topics():
        yield from [f"{name} {topic.clause}." for name in topic.names] * 60
    for dialogue in islice(DialogueMaker().stream(Random(seed)), dialogues):  # noqa: S311 # invents text, keeps no secret
        for text, written in turns(dialogue):
            for mark in (*CALL_MARKS, *SPECIAL_TOKENS):
                text = text.replace(mark, "")
            yield text if written else text[:120]


def name_pieces(tokenizer: Tokenizer) -> list[str]:
    """The tokenizer's lowercase pieces of two letters and more: material for invented names."""
    lowered = {piece.lstrip("_.").lower() for piece in tokenizer.get_vocab() if piece.lstrip("_.").isascii()}
    return sorted(piece for piece in lowered if piece.isalpha() and len(piece) > 1)


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Writes the three files that `mlx_lm` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END_OF_TURN,
        "pad_token": PADDING,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 8192,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / "chat_template.jinja").write_text(chat_template(), encoding="utf-8")
