"""Token counts that are a JSON object as text: Langfuse's, MLflow's, Braintrust's, Genkit's (in the whole answer).

Langfuse took the parts out of the whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from punie.trace import semconv
from punie.trace.analysis.foreign.spellings import Meaning, meaning_of
from punie.trace.model import Attributes

_AS_JSON: Final[Mapping[str, str]] = MappingProxyType(
    {"'": '"', "None": "null", "True": "true", "False": "false"}
)
_PYTHON: Final = re.compile("|".join(_AS_JSON))
_OVERLAPPING: Final = "priority"  # a tier of the same tokens, no part of them


def usage_of(attributes: Attributes) -> Mapping[str, Any]:
    """The counts by name; empty where there are none. Some sources read JSON by themselves."""
    by_words = (value for name, value in attributes.items() if meaning_of(name) is Meaning.USAGE)
    value = semconv.first(attributes, semconv.USAGE_OBJECTS) or next(by_words, None)
    if isinstance(value, str):
        value = _object_in(value)
    counts = value.get("usage", value) if isinstance(value, Mapping) else None
    return counts if isinstance(counts, Mapping) else {}


def _object_in(text: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """What `text` writes as JSON, or as Python prints it (LiteLLM); None if it is neither."""
    for written in (text, _PYTHON.sub(lambda found: _AS_JSON[found[0]], text)):
        try:
            return json.loads(written)
        except (ValueError, RecursionError):
            continue
    return None


def input_tokens(usage: Mapping[str, Any]) -> int | None:
    """All tokens of the prompt, cached ones among them."""
    return _total(usage, "prompt", "input", Meaning.INPUT)


def output_tokens(usage: Mapping[str, Any]) -> int | None:
    """All tokens of the answer, reasoning among them."""
    return _total(usage, "completion", "output", Meaning.OUTPUT)


def cached_tokens(usage: Mapping[str, Any]) -> int | None:
    """Those of the prompt that came from a cache."""
    return _by_words(usage, Meaning.CACHED)


def written_tokens(usage: Mapping[str, Any]) -> int | None:
    """Those of the prompt that went into a cache."""
    return _by_words(usage, Meaning.WRITTEN)


def _by_words(usage: Mapping[str, Any], what: Meaning) -> int | None:
    """The first count whose name says it, be it in an object of details."""
    found = (_count(value) for name, value in _flat(usage) if meaning_of(f"usage.{name}") is what)
    return next((count for count in found if count is not None), None)


def _flat(usage: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name, value in usage.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", count) for inner, count in value.items())
        else:
            yield str(name), value


def _total(usage: Mapping[str, Any], openai_name: str, name: str, what: Meaning) -> int | None:
    """The provider's own total; else Langfuse's count with the parts that were taken out of it; else by its words."""
    for key in (f"{openai_name}_tokens", f"{name}_tokens", f"{openai_name}Tokens", f"{name}Tokens"):
        total = _count(usage.get(key))
        if total is not None:
            return total
    rest = _count(usage.get(name))
    parts = (
        _count(value)
        for key, value in usage.items()
        if key.startswith(f"{name}_") and not key.startswith(f"{name}_{_OVERLAPPING}")
    )
    return _by_words(usage, what) if rest is None else rest + sum(part for part in parts if part is not None)


def _count(value: object) -> int | None:
    """ClickHouse, where Langfuse keeps them, writes 64-bit integers as text."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
