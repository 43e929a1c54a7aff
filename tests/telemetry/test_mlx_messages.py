"""The tokens of each message, held against the real tokenizer and template, and against templates with quirks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from punie.trace.demo.paths import target_model_path
from punie.trace.telemetry.mlx.messages import ChatPrompt, Message, MessageCounter

TOOLS = [{"type": "function", "function": {"name": "run", "parameters": {"properties": {"command": {}}}}}]


def _call(call_id: str) -> Message:
    function = {"name": "run", "arguments": {"command": "grep -rn views ."}}
    return {"role": "assistant", "content": "", "tool_calls": [{"id": call_id, "function": function}]}


def _dialogue(call_id: str = "1") -> list[Message]:
    return [
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": "Find all views"},
        _call(call_id),
        {"role": "tool", "content": "./accounts/views.py:9: def get", "tool_call_id": call_id},
        {"role": "tool", "content": "./orders/views.py:3: def post", "tool_call_id": call_id},
        {"role": "assistant", "content": "In ./accounts/views.py at line 9."},
        {"role": "user", "content": "What is dependency injection?"},
    ]


@pytest.fixture(scope="module")
def tokenizer() -> Any:  # noqa: ANN401 - mlx_lm has no types
    from mlx_lm.utils import load_tokenizer

    return load_tokenizer(target_model_path())  # type: ignore[no-untyped-call]


def _asked(tokenizer: Any, messages: Sequence[Message]) -> ChatPrompt:  # noqa: ANN401
    template = partial(tokenizer.apply_chat_template, tools=TOOLS)
    return ChatPrompt(
        messages,
        TOOLS,
        prompt=template(messages, add_generation_prompt=True),
        template=partial(template, tokenize=False, add_generation_prompt=False),
        encode=partial(tokenizer.encode, add_special_tokens=False),
    )


def test_the_counts_up_to_a_message_are_the_prompt_up_to_it(tokenizer: Any) -> None:  # noqa: ANN401
    asked = _asked(tokenizer, _dialogue())
    found = MessageCounter().count(asked)
    assert (
        len(found.tokens) == len(found.prompt.digests) == 7
    )  # the preamble is the system message and the tools
    ends = [sum(found.tokens[: place + 1]) for place in range(7)]
    for place, end in enumerate(ends):
        up_to = tokenizer.apply_chat_template(_dialogue()[: place + 1], tools=TOOLS)
        assert asked.prompt[:end] == up_to
    assert tokenizer.decode(asked.prompt[ends[-1] :]) == "<|im_start|>assistant\n"


def test_a_turn_costs_the_template_once_for_each_new_message(tokenizer: Any) -> None:  # noqa: ANN401
    counter, applied = MessageCounter(), list[int]()

    def count(messages: Sequence[Message]) -> tuple[int, ...]:
        asked = _asked(tokenizer, messages)

        def template(some: Sequence[Message]) -> str:
            applied.append(len(some))
            return asked.template(some)

        noting = ChatPrompt(asked.messages, asked.tools, asked.prompt, template, asked.encode)
        return counter.count(noting).tokens

    first = count(_dialogue()[:2])
    second = count(_dialogue())
    assert sorted(applied) == [1, 2, 3, 4, 5, 6, 7]
    assert second[:2] == first
    assert count(_dialogue("another id of the call")) == second
    assert len(applied) == 7
    assert second == MessageCounter().count(_asked(tokenizer, _dialogue())).tokens


def test_only_so_many_messages_are_remembered(tokenizer: Any) -> None:  # noqa: ANN401
    forgetful = MessageCounter(limit=2)
    asked = _asked(tokenizer, _dialogue())
    assert forgetful.count(asked) == forgetful.count(asked) == MessageCounter().count(asked)


def test_what_there_is_no_time_for_is_not_known_and_found_a_turn_later(tokenizer: Any) -> None:  # noqa: ANN401
    counter, asked = MessageCounter(), _asked(tokenizer, _dialogue())
    whole = MessageCounter().count(asked)
    for known in (2, 4, 6, 7):  # two a turn
        steps = iter([True, True, *[False] * 5])
        found = counter.count(asked, lambda: next(steps))  # noqa: B023 # called at once
        assert found.prompt == whole.prompt
        assert found.tokens == (*whole.tokens[:known], *[-1] * (7 - known))


# --- templates with quirks: a letter is a token ---


def _letters(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def _thinking(messages: Sequence[Message], *, opening: str = "") -> str:
    """Shows what the model thought in the last message only."""
    texts = [str(message["content"]) for message in messages]
    return "".join([*(text.replace("(hm)", "") for text in texts[:-1]), texts[-1], opening])


def _needs_a_user(messages: Sequence[Message]) -> str:
    if not any(message["role"] == "user" for message in messages):
        raise ValueError("no user query found")
    return "".join(f"{message['content']}\n" for message in messages)


def _messages(*pairs: tuple[str, str]) -> list[Message]:
    return [{"role": role, "content": content} for role, content in pairs]


def test_a_message_that_the_template_writes_otherwise_later_is_counted_with_the_next() -> None:
    messages = _messages(("system", "Be"), ("user", "abc"), ("assistant", "(hm)de"), ("user", "f"))
    prompt = _letters(_thinking(messages, opening=">"))
    asked = ChatPrompt(messages, (), prompt, _thinking, _letters)
    assert MessageCounter().count(asked).tokens == (2, 3, -1, 3)


def test_what_was_remembered_counts_only_while_the_prompt_says_the_same() -> None:
    counter = MessageCounter()
    messages = _messages(("system", "Be"), ("user", "abc"), ("assistant", "(hm)de"))
    asked = ChatPrompt(messages, (), _letters(_thinking(messages, opening=">")), _thinking, _letters)
    assert counter.count(asked).tokens == (2, 3, 6)
    later = [*messages, *_messages(("user", "f"))]
    asked = ChatPrompt(later, (), _letters(_thinking(later, opening=">")), _thinking, _letters)
    assert counter.count(asked).tokens == (2, 3, -1, 3)


def test_a_template_that_wants_a_user_s_message_leaves_the_preamble_unknown() -> None:
    messages = _messages(("system", "Be"), ("user", "abc"), ("assistant", "de"))
    asked = ChatPrompt(messages, (), _letters(_needs_a_user(messages)), _needs_a_user, _letters)
    assert MessageCounter().count(asked).tokens == (-1, 7, 3)


def _tools_before_the_last_user(messages: Sequence[Message], *, opening: str = "") -> str:
    last = max(place for place, message in enumerate(messages) if message["role"] == "user")
    texts = [f"{'[tools]' if place == last else ''}{m['content']}" for place, m in enumerate(messages)]
    return "".join([*texts, opening])


def test_a_text_that_the_prompt_does_not_begin_with_is_not_made_tokens() -> None:
    encoded: list[str] = []

    def encode(text: str) -> list[int]:
        encoded.append(text)
        return _letters(text)

    messages = _messages(("system", "Be"), *[("user", "abc"), ("assistant", "de")] * 30, ("user", "f"))
    prompt = _letters(_tools_before_the_last_user(messages, opening=">"))
    asked = ChatPrompt(messages, (), prompt, _tools_before_the_last_user, encode)
    assert MessageCounter().count(asked).tokens == (*[-1] * 61, len(prompt) - 1)
    assert len(encoded) == 1


def test_a_token_that_reaches_across_the_border_belongs_to_neither() -> None:
    def pairs(text: str) -> list[int]:
        return [hash(text[place : place + 2]) for place in range(0, len(text), 2)]

    messages = _messages(("system", "Be"), ("user", "abc"), ("assistant", "d"))
    asked = ChatPrompt(messages, (), pairs("Beabcd"), _thinking, pairs)
    assert MessageCounter().count(asked).tokens == (1, -1, 2)
