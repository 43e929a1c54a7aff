"""Why an answer ended, in the spellings of the large providers: by its token limit, or whole.

| provider | ended by its limit |
| --- | --- |
| OpenAI, mlx_lm, vLLM, llama.cpp, Ollama | `length` |
| OpenAI's Responses API | `max_output_tokens`, a status of `incomplete` |
| Anthropic, Bedrock | `max_tokens`, `model_context_window_exceeded` |
| Google | `MAX_TOKENS`, also `FinishReason.MAX_TOKENS` and `FINISH_REASON_MAX_TOKENS` |
| Mistral | `length`, `model_length` |
| Hugging Face, Cohere | `length`, `MAX_TOKENS`, `ERROR_LIMIT` |
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from punie.trace.model import AttributeValue

_LIMITS: Final = frozenset(
    {
        "length",
        "maxlength",
        "modellength",
        "maxtokens",
        "maxoutputtokens",
        "maxcompletiontokens",
        "maxnewtokens",
        "tokenlimit",
        "errorlimit",
        "incomplete",
        "contextwindowexceeded",
        "modelcontextwindowexceeded",
        "contextlengthexceeded",
    }
)
_PREFIX: Final = re.compile(r"^(finish|stop)reasons?")


def ended_by_limit(reasons: AttributeValue) -> bool:
    """Whether one of `reasons`, a list or a single one, means that the answer was cut at its token limit."""
    if isinstance(reasons, str):
        return _is_limit(reasons)
    return isinstance(reasons, Sequence) and any(isinstance(one, str) and _is_limit(one) for one in reasons)


def _is_limit(reason: str) -> bool:
    """Letters alone count, in any case; before a point stands the name of an enum."""
    letters = re.sub(r"[^a-z]", "", reason.lower().rpartition(".")[2])
    return _PREFIX.sub("", letters) in _LIMITS
