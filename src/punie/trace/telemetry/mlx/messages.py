"""The messages of a request as the server got them: digest, length in characters, and tokens of each.

    |---- preamble ----|-- message --|-- message --|-- opening of the answer --|     the prompt, in tokens
    0                  n0            n0+n1         n0+n1+n2

Where a message ends is found by applying the chat template to the messages up to it: the whole prompt has to begin
with that text, and what the message adds to it is tokenised alone and has to be what stands at that place in the real
prompt, token by token. If it isn't (the template writes an old message otherwise than the newest, or tokens reach
across the border), the message's count is not known apart and is in the next one that is. The first entry is the
preamble: leading system messages and tools.

All of this is done after the answer, and not for long: what there is no time for is not known either. What was found
for a conversation's earlier messages is kept, so each turn costs the template once for each of its new messages, and
the first turns of a long one get further each time.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from punie.trace import semconv
from punie.trace.telemetry.digest import PromptDigest, digest_messages
from punie.trace.telemetry.mlx.writer import GoOn

_PREAMBLE_ROLES: Final = frozenset({"system", "developer"})
_CACHED_PREFIXES: Final = 4096

Message = Mapping[str, Any]
Template = Callable[[Sequence[Message]], str]
"""The prompt's text for these messages, without the opening of an answer. May raise what a template raises."""

Encode = Callable[[str], Sequence[int]]
"""Tokens of a text, none added at its ends."""


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """A chat request as the model got it. `prompt` are its tokens; `template` and `encode` are those that made it."""

    messages: Sequence[Message]
    tools: Sequence[Any]
    prompt: Sequence[int]
    template: Template
    encode: Encode


@dataclass(frozen=True, slots=True)
class CountedMessages:
    """An entry a message, the preamble first.

    `tokens` says how many each adds to the prompt, or -1: not known apart, in the next one that is.
    """

    prompt: PromptDigest
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _End:
    """Where a list of messages ends: in the prompt's text, in its tokens, and a hash of either up to there."""

    characters: int
    tokens: int
    text_hash: bytes
    tokens_hash: bytes


_START: Final = _End(0, 0, hashlib.sha256().digest(), hashlib.sha256().digest())


class MessageCounter:
    """Counts the messages of one request after the other; remembers where earlier ones ended. Not safe with threads."""

    def __init__(self, limit: int = _CACHED_PREFIXES) -> None:
        self._limit = limit
        self._ends: OrderedDict[str, _End] = OrderedDict()

    def count(self, chat: ChatPrompt, go_on: GoOn = lambda: True) -> CountedMessages:
        """Digest, length and tokens of every message of `chat`; tokens while `go_on()` is true."""
        preamble = _preamble_length(chat.messages)
        digest = _digest(chat, preamble)
        prompt = _Prompt(chat)
        tokens: list[int] = []
        last, key = _START, ""
        for entry, own in enumerate(digest.digests):
            key = hashlib.sha256(f"{key} {own}".encode()).hexdigest()
            end = self._known(key, prompt)
            if end is None and go_on():
                end = prompt.find_end(preamble + entry, last)
            if end is None:
                tokens.append(semconv.MESSAGE_TOKENS_NOT_KNOWN)
                continue
            self._keep(key, end)
            tokens.append(end.tokens - last.tokens)
            last = end
        return CountedMessages(digest, tuple(tokens))

    def _known(self, key: str, prompt: _Prompt) -> _End | None:
        end = self._ends.get(key)
        return end if end is not None and prompt.starts_with(end) else None

    def _keep(self, key: str, end: _End) -> None:
        self._ends[key] = end
        self._ends.move_to_end(key)
        if len(self._ends) > self._limit:
            self._ends.popitem(last=False)


class _Prompt:
    """A prompt as tokens, hashed from the start to one end after the other, and as text, where that is needed."""

    def __init__(self, chat: ChatPrompt) -> None:
        self._chat = chat
        self._tokens = array("q", chat.prompt)
        self._bytes = memoryview(self._tokens).cast("B")
        self._hashed, self._hash = 0, hashlib.sha256()

    def starts_with(self, end: _End) -> bool:
        """Whether the tokens up to `end` are those that were there when it was found."""
        return end.tokens <= len(self._tokens) and self._hash_up_to(end.tokens) == end.tokens_hash

    def find_end(self, count: int, last: _End) -> _End | None:
        """Where the first `count` messages end, the ones before at `last`; None if that can't be said."""
        text = self._text_of(count)
        if text is None or not (self._whole or "").startswith(text) or not _begins_with(text, last):
            return None
        added = array("q", self._chat.encode(text[last.characters :]))
        tokens = last.tokens + len(added)
        if self._tokens[last.tokens : tokens] != added:
            return None
        return _End(len(text), tokens, _hash_text(text), self._hash_up_to(tokens))

    @cached_property
    def _whole(self) -> str | None:
        return self._apply(self._chat.messages)

    def _text_of(self, count: int) -> str | None:
        return self._whole if count == len(self._chat.messages) else self._apply(self._chat.messages[:count])

    def _apply(self, messages: Sequence[Message]) -> str | None:
        if not messages:
            return None
        try:
            return self._chat.template(messages)
        except Exception:  # noqa: BLE001 - a template is a program of its own and may want a user's message
            return None

    def _hash_up_to(self, count: int) -> bytes:
        if count < self._hashed:
            return hashlib.sha256(self._bytes[: count * self._tokens.itemsize]).digest()
        self._hash.update(self._bytes[self._hashed * self._tokens.itemsize : count * self._tokens.itemsize])
        self._hashed = count
        return self._hash.digest()


def _begins_with(text: str, end: _End) -> bool:
    return len(text) >= end.characters and _hash_text(text[: end.characters]) == end.text_hash


def _hash_text(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _preamble_length(messages: Sequence[Message]) -> int:
    return next(
        (place for place, message in enumerate(messages) if message.get("role") not in _PREAMBLE_ROLES),
        len(messages),
    )


def _digest(chat: ChatPrompt, preamble: int) -> PromptDigest:
    instructions = [message.get("content") for message in chat.messages[:preamble]]
    return digest_messages(
        [
            {"instructions": instructions, "tools": list(chat.tools)},
            *(_without_call_ids(message) for message in chat.messages[preamble:]),
        ]
    )


def _without_call_ids(message: Message) -> Message:
    """The ids of tool calls are made up anew each time; chat templates leave them out of the prompt."""
    fields = {name: value for name, value in message.items() if name != "tool_call_id"}
    if calls := fields.get("tool_calls"):
        fields["tool_calls"] = [
            {name: value for name, value in call.items() if name != "id"} for call in calls
        ]
    return fields
