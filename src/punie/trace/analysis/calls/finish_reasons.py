"""Why an answer ended, in the spellings of the large providers: by its token limit, without one, or whole.

| provider | ended by its limit |
| --- | --- |
| OpenAI, mlx_lm, vLLM, llama.cpp, Ollama | `length` |
| OpenAI's Responses API | `max_output_tokens`, a status of `incomplete` |
| Anthropic, Bedrock | `max_tokens`, `model_context_window_exceeded` |
| Google | `MAX_TOKENS`, also `FinishReason.MAX_TOKENS` and `FINISH_REASON_MAX_TOKENS` |
| Mistral | `length`, `model_length` |
| Hugging Face, Cohere | `length`, `MAX_TOKENS`, `ERROR_LIMIT` |
| xAI | `REASON_MAX_LEN`, `REASON_MAX_CONTEXT` |

Others put the same words together: a maximum or limit of tokens, length, context or output.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from punie.trace.model import AttributeValue

_LIMIT: Final = re.compile(
    r"""(stop|model)?length(capped|reached)? | (error)?limit | incomplete | truncated | outof(tokens|length|context)
      | .*(max|limit|exceed|reach).*(token|len|context|output).*
      | .*(token|len|context|output).*(max|limit|exceed|reach|window).*""",
    re.VERBOSE,
)
_FAILURES: Final = frozenset(
    {
        *(
            "error",
            "abort",
            "aborted",
            "contentfilter",
            "contentfiltered",
            "errortoxic",
            "guardrailintervened",
        ),
        *("safety", "recitation", "blocklist", "prohibitedcontent", "spii", "malformedfunctioncall"),
    }
)
"""OpenAI, Azure and Bedrock hold an answer back, Google does by five names, vLLM, Mistral and Cohere break it off."""
_WORD: Final = re.compile(r"[^\W\d_]+(?:[ _-]*[^\W\d_]+)*")
_PREFIX: Final = re.compile(r"^(finish|stop)?reasons?")


def ended_by_limit(reasons: AttributeValue) -> bool:
    """Whether one of `reasons`, a list or a single one, means that the answer was cut at its token limit."""
    return reasons is not None and any(_LIMIT.fullmatch(reason) for reason in _words(reasons))


def failure_in(reasons: AttributeValue) -> str | None:
    """The one of `reasons` that means that there is no answer: it was held back or broken off."""
    return next((reason for reason in _words(reasons) if reason in _FAILURES), None)


def _words(reasons: AttributeValue) -> Iterator[str]:
    """Every word by its letters alone, in small ones; `<FinishReason.LENGTH: 'length'>` has three."""
    if isinstance(reasons, str):
        for word in _WORD.findall(reasons):
            yield _PREFIX.sub("", "".join(filter(str.isalpha, word.lower())))
    elif isinstance(reasons, Mapping | Sequence):
        for reason in reasons.values() if isinstance(reasons, Mapping) else reasons:
            yield from _words(reason)
