"""Digests and lengths of what a model was asked: enough to find where two prompts part, without their text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import PydanticSerializationError, to_json

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage
    from pydantic_ai.models import ModelRequestContext, ModelRequestParameters
    from pydantic_ai.models.instrumented import InstrumentationSettings

_HEX_DIGITS: Final = 16  # 64 bits: two messages of one conversation don't collide


@dataclass(frozen=True, slots=True)
class PromptDigest:
    """One entry a message, in the order in which the model sees them; `lengths` are characters.

    The first entry is the preamble: instructions and tool definitions.
    """

    digests: tuple[str, ...]
    lengths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DigestedPrompt:
    """What a model was asked: its digest, and its messages as a JSON array in the form of the GenAI conventions."""

    digest: PromptDigest
    messages_json: str


class PromptReader:
    """Reads the growing prompt of one run: what was read for the turn before is not read again."""

    def __init__(self) -> None:
        self._seen: dict[int, _DigestedMessage] = {}

    def read(self, settings: InstrumentationSettings, context: ModelRequestContext) -> DigestedPrompt:
        """A model request as PydanticAI sends it."""
        still_there: dict[int, _DigestedMessage] = {}
        for message in context.messages:
            seen = self._seen.get(id(message))
            if seen is None or seen.parts is not message.parts:
                seen = _digested(settings, message)
            still_there[id(message)] = seen
        self._seen = still_there
        digests = [
            _preamble_digest(context.model_request_parameters),
            *(s.digest for s in still_there.values()),
        ]
        return DigestedPrompt(
            PromptDigest(
                digests=tuple(chain.from_iterable(one.digests for one in digests)),
                lengths=tuple(chain.from_iterable(one.lengths for one in digests)),
            ),
            f"[{','.join(seen.json for seen in still_there.values() if seen.json)}]",
        )


@dataclass(frozen=True, slots=True)
class _DigestedMessage:
    """A message of PydanticAI's, read, and the parts that it had: whoever changes a message gives it new ones.

    Holding the message keeps its id from being another's. `json` are its messages in the conventions' form, with
    commas between them: one of PydanticAI's can be several of theirs, or none.
    """

    message: ModelMessage
    parts: object
    digest: PromptDigest
    json: str


def _digested(settings: InstrumentationSettings, message: ModelMessage) -> _DigestedMessage:
    messages = settings.messages_to_otel_messages([message])
    digest = digest_messages([_without_call_ids(one) for one in messages])
    return _DigestedMessage(message, message.parts, digest, compact_json(messages)[1:-1])


def compact_json(value: object) -> str:
    """`value` as JSON without spaces. What has no JSON becomes its text; a lone surrogate stays as its escape."""
    try:
        return to_json(value, serialize_unknown=True).decode()
    except PydanticSerializationError:  # a lone surrogate
        return json.dumps(value, separators=(",", ":"), default=str)


def digest_messages(messages: Sequence[Any]) -> PromptDigest:
    """Short SHA-256 of each message's canonical JSON (sorted keys, no spaces), and its length."""
    texts = [_canonical(message) for message in messages]
    return PromptDigest(
        digests=tuple(_short_digest(text) for text in texts), lengths=tuple(len(text) for text in texts)
    )


def _without_call_ids(message: Any) -> Any:  # noqa: ANN401 # an OpenTelemetry GenAI message: role and parts
    """The ids of tool calls are made up anew each time; chat templates leave them out of the prompt."""
    parts = [
        {name: value for name, value in part.items() if name != "id"} if "id" in part else part
        for part in message["parts"]
    ]
    return {**message, "parts": parts}


def _preamble_digest(parameters: ModelRequestParameters) -> PromptDigest:
    tools = [*parameters.function_tools, *parameters.output_tools]
    return _digest_preamble(
        compact_json(
            {
                "instructions": [part.content for part in parameters.instruction_parts or ()],
                "tools": [[tool.name, tool.description, tool.parameters_json_schema] for tool in tools],
            }
        )
    )


@lru_cache(maxsize=64)
def _digest_preamble(preamble: str) -> PromptDigest:
    """Of a preamble that was written in any order of keys: the same one comes with every turn of an agent."""
    return digest_messages([json.loads(preamble)])


_canonical: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str
).encode


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HEX_DIGITS]
