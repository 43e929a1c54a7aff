"""The committed model's template and tokenizer write what the training text was made of."""

from __future__ import annotations

import json
from itertools import islice
from random import Random
from typing import Any, Protocol

import pytest

from punie.trace.demo.paths import target_model_path
from punie.trace.workload.agent import INSTRUCTIONS
from training.dialogues import SYSTEM_PROMPT, Call, Dialogue, DialogueMaker
from training.tokenizer import TOOLS, prefix_text, turns


class ChatTokenizer(Protocol):
    """What these tests use of mlx_lm's tokenizer, which has no types."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...

    def apply_chat_template(self, messages: object, **options: object) -> object: ...


@pytest.fixture(scope="module")
def tokenizer() -> ChatTokenizer:
    from mlx_lm.tokenizer_utils import load

    return load(target_model_path())


def test_the_template_writes_what_the_model_was_trained_on(tokenizer: ChatTokenizer) -> None:
    for dialogue in islice(DialogueMaker().stream(Random(11)), 60):  # noqa: S311 # invents text, keeps no secret
        rendered = tokenizer.apply_chat_template(dialogue.messages(), tools=TOOLS, tokenize=False)

        assert rendered == prefix_text() + "".join(text for text, _ in turns(dialogue)) + "\n"


def test_the_parts_of_a_dialogue_give_the_same_tokens_as_the_whole(tokenizer: ChatTokenizer) -> None:
    for dialogue in islice(DialogueMaker().stream(Random(12)), 60):  # noqa: S311 # invents text, keeps no secret
        parts = [prefix_text(), *(text for text, _ in turns(dialogue)), "\n"]
        pieces = [token for part in parts for token in tokenizer.encode(part, add_special_tokens=False)]

        assert tokenizer.apply_chat_template(dialogue.messages(), tools=TOOLS) == pieces


def test_the_template_takes_arguments_as_text_and_full_tool_descriptions(tokenizer: ChatTokenizer) -> None:
    call = Call("run_command", "command", 'grep -rn "class Café" .', "./a.py:1:class Café:")
    dialogue = Dialogue("Show me Café", "Café is defined in ./a.py at line 1.", call)
    messages: list[dict[str, Any]] = json.loads(json.dumps(dialogue.messages()))
    function = messages[2]["tool_calls"][0]["function"]
    function["arguments"] = json.dumps(function["arguments"], ensure_ascii=False)
    messages[2]["tool_calls"][0]["id"] = "call-1"
    messages[3]["tool_call_id"] = "call-1"
    described = json.loads(json.dumps(TOOLS))
    for tool in described:
        tool["function"]["description"] = "Does something."
        tool["function"]["parameters"] |= {"type": "object", "additionalProperties": False, "required": ["x"]}

    assert tokenizer.apply_chat_template(messages, tools=described, tokenize=False) == (
        tokenizer.apply_chat_template(dialogue.messages(), tools=TOOLS, tokenize=False)
    )


def test_the_model_was_trained_on_the_default_agents_instructions() -> None:
    assert SYSTEM_PROMPT == INSTRUCTIONS
