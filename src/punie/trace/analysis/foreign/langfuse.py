"""Token counts that are a JSON object as text: Langfuse's, MLflow's, Braintrust's, Genkit's (in the whole answer).

Langfuse took the parts out of the whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from punie.trace import semconv
from punie.trace.model import Attributes

_OVERLAPPING: Final = "priority"  # a tier of the same tokens, no part of them


def usage_of(attributes: Attributes) -> Mapping[str, Any]:
    """The counts by name; empty where there are none. Some sources read JSON by themselves."""
    value = semconv.first(attributes, semconv.USAGE_OBJECTS)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    counts = value.get("usage", value) if isinstance(value, Mapping) else None
    return counts if isinstance(counts, Mapping) else {}


def input_tokens(usage: Mapping[str, Any]) -> int | None:
    """All tokens of the prompt, cached ones among them."""
    return _total(usage, "prompt", "input")


def output_tokens(usage: Mapping[str, Any]) -> int | None:
    """All tokens of the answer, reasoning among them."""
    return _total(usage, "completion", "output")


def cached_tokens(usage: Mapping[str, Any]) -> int | None:
    """Those of the prompt that came from a cache."""
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    counts = (
        usage.get("input_cached_tokens"),
        usage.get("input_cache_read"),
        usage.get("cache_read_input_tokens"),
        usage.get("prompt_cached_tokens"),
        usage.get("cachedContentTokens"),
        details.get("cached_tokens") if isinstance(details, Mapping) else None,
    )
    return next((count for count in map(_count, counts) if count is not None), None)


def _total(usage: Mapping[str, Any], openai_name: str, name: str) -> int | None:
    """The provider's own total; else Langfuse's count with the parts that were taken out of it."""
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
    return None if rest is None else rest + sum(part for part in parts if part is not None)


def _count(value: object) -> int | None:
    """ClickHouse, where Langfuse keeps them, writes 64-bit integers as text."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
