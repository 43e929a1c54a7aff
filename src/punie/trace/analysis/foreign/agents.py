"""Spans of other instrumentations, said in the words of the GenAI conventions, before anything else reads them.

| instrumentation | a span's part | tokens, model, first token |
| --- | --- | --- |
| OpenInference | `openinference.span.kind` | `llm.token_count.*`, `llm.model_name`, an event for the first chunk |
| Langfuse | `langfuse.observation.type` | JSON text in `…usage_details`, `…completion_start_time` |
| OpenLLMetry | the conventions, else `traceloop.span.kind`, `llm.request.type` | the conventions, an event a chunk |

What a span says in the conventions' own words counts; only what is missing is added. Chains, workflows and tasks
get no part: their time is that of the span around them. Token counts are totals there as well: of Langfuse's
`input`, from which it has taken the cached ones, the `input_*` beside it are added again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from msgspec.structs import replace

from punie.trace import semconv
from punie.trace.model import Attributes, AttributeValue, Span

_NS_PER_SECOND: Final = 1_000_000_000
_NS_PER_MICROSECOND: Final = 1_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OVERLAPPING: Final = "priority"  # Langfuse: a tier of the same tokens, no part of them

Said = Iterator[tuple[str, AttributeValue]]


def with_conventions(spans: Iterable[Span]) -> tuple[Span, ...]:
    """`spans`, those of the instrumentations above with the conventions' attributes beside their own."""
    return tuple(_translated(span) for span in spans)


_THEIR_KEYS: Final = frozenset(
    {
        *semconv.FOREIGN_OPERATIONS,
        *semconv.FOREIGN_MODEL,
        *semconv.FOREIGN_FINISH_REASON,
    }
)


def _translated(span: Span) -> Span:
    if not span.events and _THEIR_KEYS.isdisjoint(span.attributes):
        return span
    operation = semconv.text(span.attributes, semconv.OPERATION)
    if operation is None:
        operation = _foreign_operation(span.attributes)
        if operation is None:
            return span
    said: dict[str, AttributeValue] = {semconv.OPERATION: operation}
    if operation in semconv.OPERATION_CHAT:
        said.update(_of_request(span))
    elif operation == semconv.OPERATION_TOOL:
        said[semconv.TOOL_NAME] = semconv.text(span.attributes, semconv.FOREIGN_TOOL_NAME) or span.name
    elif operation == semconv.OPERATION_AGENT:
        said[semconv.AGENT_NAME[0]] = semconv.text(span.attributes, semconv.FOREIGN_AGENT_NAME)
    missing = {key: value for key, value in said.items() if value is not None and key not in span.attributes}
    return replace(span, attributes={**span.attributes, **missing}) if missing else span


def _foreign_operation(attributes: Attributes) -> str | None:
    for name, operations in semconv.FOREIGN_OPERATIONS.items():
        value = attributes.get(name)
        if isinstance(value, str):
            found = operations.get(value.lower())
            if found is not None:
                return found
    return None


def _of_request(span: Span) -> Said:
    attributes = span.attributes
    usage = _object(attributes.get(semconv.LANGFUSE_USAGE))
    yield semconv.REQUEST_MODEL, semconv.text(attributes, semconv.FOREIGN_MODEL)
    if semconv.integer(attributes, semconv.INPUT_TOKENS) is None:
        yield semconv.INPUT_TOKENS[0], _langfuse_total(usage, "prompt", "input")
    if semconv.integer(attributes, semconv.OUTPUT_TOKENS) is None:
        yield semconv.OUTPUT_TOKENS[0], _langfuse_total(usage, "completion", "output")
    if semconv.integer(attributes, semconv.CACHED_TOKENS) is None:
        yield semconv.CACHED_TOKENS[0], _langfuse_cached(usage)
    reason = semconv.text(attributes, semconv.FOREIGN_FINISH_REASON)
    yield semconv.FINISH_REASONS, None if reason is None else (reason.strip('"'),)
    if semconv.first(attributes, semconv.TIME_TO_FIRST_CHUNK) is None:
        first_ns = _first_token_ns(span)
        is_inside = first_ns is not None and span.start_ns <= first_ns <= span.end_ns
        seconds = (first_ns - span.start_ns) / _NS_PER_SECOND if is_inside and first_ns is not None else None
        yield semconv.TIME_TO_FIRST_CHUNK[0], seconds


def _object(value: AttributeValue) -> Mapping[str, Any]:
    """The object that `value` writes as JSON, or is already, where a source reads JSON by itself."""
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, str):
        return {}
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _langfuse_total(usage: Mapping[str, Any], openai_name: str, name: str) -> int | None:
    """The provider's own total; else Langfuse's count with the parts that were taken out of it."""
    for key in (f"{openai_name}_tokens", f"{name}_tokens"):
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


def _langfuse_cached(usage: Mapping[str, Any]) -> int | None:
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    told = (
        usage.get("input_cached_tokens"),
        usage.get("input_cache_read"),
        usage.get("cache_read_input_tokens"),
        details.get("cached_tokens") if isinstance(details, Mapping) else None,
    )
    return next((count for count in map(_count, told) if count is not None), None)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _first_token_ns(span: Span) -> int | None:
    """When the first chunk came: the earliest event that says so, else Langfuse's attribute, of microseconds."""
    events = [event.time_ns for event in span.events if event.name in semconv.FIRST_TOKEN_EVENTS]
    if events:
        return min(events)
    text = semconv.text(span.attributes, semconv.LANGFUSE_FIRST_TOKEN)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.strip('"')) - _EPOCH
    except (ValueError, TypeError):
        return None
    return ((at.days * 86_400 + at.seconds) * 1_000_000 + at.microseconds) * _NS_PER_MICROSECOND
