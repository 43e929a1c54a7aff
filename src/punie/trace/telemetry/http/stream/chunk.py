"""What one event of a model's stream says about the server's work: OpenAI's two interfaces, and Anthropic's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from punie.trace.telemetry.http.body.timings import count

# What a model says, by the names that servers use: mlx_lm and OpenRouter `reasoning`, vLLM, SGLang and llama.cpp
# `reasoning_content`; `text` is the older completions endpoint's.
_TEXT_KEYS: Final = ("content", "reasoning_content", "reasoning", "thinking", "refusal", "text")
_CALL_KEYS: Final = ("tool_calls", "function_call")
_BEGINS: Final = (b'"choices"', b'"response.created"', b'"message_start"')
# Of the Responses API (`response.…`) and of Anthropic's Messages API, by the event's type or that of its `delta`.
_TEXT_TYPES: Final = frozenset(
    {
        *(f"response.{kind}.delta" for kind in ("output_text", "refusal", "reasoning_text")),
        *("response.reasoning_summary_text.delta", "text_delta", "thinking_delta"),
    }
)
_CALL_TYPES: Final = frozenset(
    {"response.function_call_arguments.delta", "response.custom_tool_call_input.delta", "input_json_delta"}
)
_LAST_TYPES: Final = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "message_stop"}
)


@dataclass(frozen=True, slots=True)
class ChunkContent:
    """Of one event: it carries text, (a part of) a tool call, the reason why the answer ended."""

    text: bool
    call: bool
    finish: bool


NOTHING: Final = ChunkContent(text=False, call=False, finish=False)


def read_chunk(document: object) -> ChunkContent:
    """What `document`, the JSON of one event, says; nothing where it isn't a chunk of an answer.

    A first delta with only a role is no content: servers send it before the first token. A chunk without
    choices carries usage.
    """
    kinds = _types(document)
    text, call, finish = (not kinds.isdisjoint(each) for each in (_TEXT_TYPES, _CALL_TYPES, _LAST_TYPES))
    for choice in _choices(document):
        for part in (choice, choice.get("delta")):
            if isinstance(part, Mapping):
                text = text or any(part.get(key) for key in _TEXT_KEYS)
                call = call or any(part.get(key) for key in _CALL_KEYS)
        finish = finish or bool(choice.get("finish_reason"))  # some servers send "" until there is one
    return ChunkContent(text, call, finish)


def begins_answer(data: bytes) -> bool:
    """Whether an event is of an answer, so that more has to come until it says why it ended."""
    return any(sign in data for sign in _BEGINS)


def _types(document: object) -> set[str]:
    """The types that an event says of itself and of its `delta`."""
    parts = (document, document.get("delta")) if isinstance(document, Mapping) else ()
    kinds = (part.get("type") for part in parts if isinstance(part, Mapping))
    return {kind for kind in kinds if isinstance(kind, str)}


@dataclass(frozen=True, slots=True)
class StreamUsage:
    """Tokens of a whole request, as its server counts them; `cached` None: it isn't reported."""

    prompt: int
    output: int
    cached: int | None = None


def read_usage(document: object) -> StreamUsage | None:
    """The usage in one event; None where it carries none, or no counts."""
    usage = document.get("usage") if isinstance(document, Mapping) else None
    if not isinstance(usage, Mapping):
        return None
    prompt, output = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    details = usage.get("prompt_tokens_details")
    cached = count(details.get("cached_tokens")) if isinstance(details, Mapping) else None
    return None if prompt is None or output is None else StreamUsage(prompt, output, cached)


def _choices(document: object) -> Iterator[Mapping[str, object]]:
    choices = document.get("choices") if isinstance(document, Mapping) else None
    if isinstance(choices, list):
        yield from (choice for choice in choices if isinstance(choice, Mapping))
