"""What a model's output tokens are: tool calls, thinking, or prose.

A server says it where it drafts (`punie.server.tool_call.output_tokens`). Else it follows from the turn: one that calls
tools and says nothing is all tool call, one that calls none is all prose; of one that does both it isn't known.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from punie.trace import semconv
from punie.trace.model import Span, SpanKind

_THINKING: Final = frozenset({"thinking", "reasoning"})
_CALL: Final = "tool_call"
_TEXT: Final = "text"


@dataclass(frozen=True, slots=True)
class OutputKinds:
    """Mean output tokens of a query; `prose` holds the thinking where that can't be separated (`thinking` None)."""

    tool_calls: float | None
    prose: float | None
    thinking: float | None


def output_kinds(spans: Iterable[Span], traces: Iterable[str]) -> OutputKinds:
    """Of the queries whose `traces` are given: means of what the server counted; None where it isn't known."""
    wanted = set(traces)
    by_trace: dict[str, list[Span]] = {}
    for span in spans:
        if span.trace_id in wanted:
            by_trace.setdefault(span.trace_id, []).append(span)
    each = [counts for one in by_trace.values() if (counts := _of_trace(one)) is not None]
    known = [counts for counts in each if counts.in_calls is not None]
    thinks = any(_kinds(span) & _THINKING for one in by_trace.values() for span in one)
    if not each or len(known) < len(each):
        return OutputKinds(None, None, None if thinks else 0.0)
    in_calls = statistics.fmean(counts.in_calls or 0 for counts in known)
    whole = statistics.fmean(counts.output for counts in known)
    return OutputKinds(in_calls, whole - in_calls, None if thinks else 0.0)


@dataclass(frozen=True, slots=True)
class _Counts:
    """Tokens of one query; `in_calls` is None where a turn doesn't report it."""

    output: int
    in_calls: int | None


def _of_trace(spans: Sequence[Span]) -> _Counts | None:
    """None where the server counted nothing."""
    ordered = sorted(spans, key=lambda span: (span.start_ns, span.span_id))
    served = [(span, tokens) for span in ordered if (tokens := _output_tokens(span)) is not None]
    with_kinds = [kinds for span in ordered if (kinds := _kinds(span))]
    turns: Sequence[frozenset[str] | None] = (
        with_kinds if len(with_kinds) == len(served) else [None] * len(served)
    )
    parts = [_in_calls(span, output, kinds) for (span, output), kinds in zip(served, turns, strict=True)]
    if not parts:
        return None
    known = [part for part in parts if part is not None]
    return _Counts(sum(tokens for _, tokens in served), sum(known) if len(known) == len(parts) else None)


def _output_tokens(span: Span) -> int | None:
    return semconv.integer(span.attributes, semconv.OUTPUT_TOKENS) if span.kind is SpanKind.SERVER else None


def _in_calls(server: Span, output: int, kinds: frozenset[str] | None) -> int | None:
    counted = semconv.integer(server.attributes, semconv.SERVER_TOOL_CALL_TOKENS)
    if counted is not None or kinds is None:
        return counted
    if _CALL not in kinds:
        return 0
    return output if kinds == {_CALL} else None


def _kinds(span: Span) -> frozenset[str]:
    """The kinds of what was said in a `chat` span, empty texts left out; none where content wasn't recorded."""
    return frozenset(
        part["type"] for part in _parts(span) if part.get("type") != _TEXT or part.get("content")
    )


def _parts(span: Span) -> Iterator[Mapping[str, Any]]:
    text = semconv.text(span.attributes, semconv.OUTPUT_MESSAGES)
    messages = json.loads(text) if text else ()
    return (part for message in messages for part in message.get("parts", ()) if part.get("type"))
