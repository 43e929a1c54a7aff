"""What a model's output tokens are: tool calls, thinking, or prose."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from punie.trace import semconv
from punie.trace.model import Span, SpanKind

_THINKING: Final = frozenset({"thinking", "reasoning"})


@dataclass(frozen=True, slots=True)
class OutputKinds:
    """Mean output tokens of a query; `prose` holds the thinking where that can't be told apart (`thinking` None)."""

    tool_calls: float | None
    prose: float | None
    thinking: float | None


def output_kinds(spans: Iterable[Span], traces: Iterable[str]) -> OutputKinds:
    """Of the queries whose `traces` are given: means of what the server counted; None where it didn't."""
    wanted = set(traces)
    own = [span for span in spans if span.trace_id in wanted]
    calls: dict[str, int] = {}
    rest: dict[str, int] = {}
    for span in own:
        output = semconv.integer(span.attributes, semconv.OUTPUT_TOKENS)
        if span.kind is not SpanKind.SERVER or output is None:
            continue
        in_calls = semconv.integer(span.attributes, semconv.SERVER_TOOL_CALL_TOKENS) or 0
        calls[span.trace_id] = calls.get(span.trace_id, 0) + in_calls
        rest[span.trace_id] = rest.get(span.trace_id, 0) + output - in_calls
    thinks = any(map(_thinks, own))
    return OutputKinds(_mean(calls), _mean(rest), None if thinks else 0.0)


def _thinks(span: Span) -> bool:
    text = semconv.text(span.attributes, semconv.OUTPUT_MESSAGES)
    if not text or not any(word in text for word in _THINKING):
        return False
    messages = json.loads(text)
    return any(part.get("type") in _THINKING for message in messages for part in message.get("parts", ()))


def _mean(by_trace: Mapping[str, int]) -> float | None:
    return statistics.fmean(by_trace.values()) if by_trace else None
