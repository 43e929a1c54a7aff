"""Why a model's answer ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelResponse

# SGLang and vLLM say `abort`, OpenRouter `error`, OpenAI's Responses API the rest.
_BROKEN: Final = ("abort", "aborted", "error", "failed", "cancelled")


def finish_reason(response: ModelResponse) -> str | None:
    """In PydanticAI's words, else in the server's: PydanticAI knows OpenAI's words, and some servers have others."""
    return response.finish_reason or _servers_own(response)


def is_broken(response: ModelResponse) -> bool:
    """Whether the server says that it gave up: PydanticAI knows no such reason and takes what came for the answer."""
    return _servers_own(response) in _BROKEN


def _servers_own(response: ModelResponse) -> str | None:
    reason = (response.provider_details or {}).get("finish_reason")
    return reason if isinstance(reason, str) else None
