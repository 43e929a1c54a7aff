"""Digests and lengths of what a model was asked: enough to find where two prompts part, without their text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

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


class PromptDigester:
    """Digests the growing prompt of one run: what was digested for the turn before is not digested again."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}

    def digest(self, settings: InstrumentationSettings, context: ModelRequestContext) -> PromptDigest:
        """The digest of a model request as PydanticAI sends it."""
        found = [digest_messages([_preamble(context.model_request_parameters)])]
        still_there: dict[int, _Seen] = {}
        for message in context.messages:
            seen = self._seen.get(id(message))
            if seen is None or seen.parts is not message.parts:
                told = [_without_call_ids(m) for m in settings.messages_to_otel_messages([message])]
                seen = _Seen(message, message.parts, digest_messages(told))
            still_there[id(message)] = seen
            found.append(seen.digest)
        self._seen = still_there
        return PromptDigest(
            digests=tuple(chain.from_iterable(one.digests for one in found)),
            lengths=tuple(chain.from_iterable(one.lengths for one in found)),
        )


@dataclass(frozen=True, slots=True)
class _Seen:
    """A message of PydanticAI's, its digest, and the parts that it had: whoever changes a message gives it new ones.

    Holding the message keeps its id from being another's.
    """

    message: ModelMessage
    parts: object
    digest: PromptDigest


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


def _preamble(parameters: ModelRequestParameters) -> dict[str, Any]:
    tools = [*parameters.function_tools, *parameters.output_tools]
    return {
        "instructions": [part.content for part in parameters.instruction_parts or ()],
        "tools": [[tool.name, tool.description, tool.parameters_json_schema] for tool in tools],
    }


def _canonical(message: Any) -> str:  # noqa: ANN401 # JSON of any shape
    return json.dumps(message, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HEX_DIGITS]
