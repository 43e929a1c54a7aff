"""What one event of an OpenAI-compatible stream says about the server's work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from punie.trace.telemetry.http.body.timings import count

# What a model says, by the names that servers use: mlx_lm and OpenRouter `reasoning`, vLLM, SGLang and llama.cpp
# `reasoning_content`; `text` is the older completions endpoint's.
_TEXT_KEYS: Final = ("content", "reasoning_content", "reasoning", "thinking", "refusal", "text")
_CALL_KEYS: Final = ("tool_calls", "function_call")


@dataclass(frozen=True, slots=True)
class Said:
    """Of one event: it carries text, (a part of) a tool call, the reason why the answer ended."""

    text: bool
    call: bool
    finish: bool


NOTHING: Final = Said(text=False, call=False, finish=False)


def read_chunk(document: object) -> Said:
    """What `document`, the JSON of one event, says; nothing where it isn't a chunk of an answer.

    A first delta with only a role is no content: servers send it before the first token. A chunk without
    choices carries usage.
    """
    text = call = finish = False
    for choice in _choices(document):
        for part in (choice, choice.get("delta")):
            if isinstance(part, Mapping):
                text = text or any(part.get(key) for key in _TEXT_KEYS)
                call = call or any(part.get(key) for key in _CALL_KEYS)
        finish = finish or bool(choice.get("finish_reason"))  # some servers send "" until there is one
    return Said(text, call, finish)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a whole request, as its server counts them; `cached` None: it doesn't tell."""

    prompt: int
    output: int
    cached: int | None = None


def read_usage(document: object) -> Usage | None:
    """The usage in one event; None where it carries none, or no counts."""
    usage = document.get("usage") if isinstance(document, Mapping) else None
    if not isinstance(usage, Mapping):
        return None
    prompt, output = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    details = usage.get("prompt_tokens_details")
    cached = count(details.get("cached_tokens")) if isinstance(details, Mapping) else None
    return None if prompt is None or output is None else Usage(prompt, output, cached)


def _choices(document: object) -> Iterator[Mapping[str, object]]:
    choices = document.get("choices") if isinstance(document, Mapping) else None
    if isinstance(choices, list):
        yield from (choice for choice in choices if isinstance(choice, Mapping))
