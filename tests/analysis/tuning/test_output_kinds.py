"""Output tokens by kind: what the server counted, split by what each turn said."""

from __future__ import annotations

import json
from typing import Any

from punie.trace import semconv
from punie.trace.analysis.tuning.output_kinds import OutputKinds, output_kinds
from punie.trace.model import Span, SpanKind

CALL = {"type": "tool_call", "name": "grep"}
EMPTY = {"type": "text", "content": ""}
PROSE = {"type": "text", "content": "It is here."}
THOUGHT = {"type": "thinking", "content": "Hm."}


def turn(start: int, tokens: int, *parts: dict[str, str], in_calls: int | None = None) -> list[Span]:
    """What the agent and the server wrote of one turn; without `parts` content wasn't recorded."""
    chat: dict[str, Any] = {semconv.OUTPUT_MESSAGES: json.dumps([{"role": "assistant", "parts": parts}])}
    served: dict[str, Any] = {semconv.OUTPUT_TOKENS[0]: tokens}
    if in_calls is not None:
        served[semconv.SERVER_TOOL_CALL_TOKENS] = in_calls
    return [
        _span(f"c{start}", start, SpanKind.CLIENT, chat if parts else {}),
        _span(f"s{start}", start + 1, SpanKind.SERVER, served),
    ]


def _span(span_id: str, start_ns: int, kind: SpanKind, attributes: dict[str, Any]) -> Span:
    return Span("t", span_id, None, "work", start_ns, start_ns + 9, kind, attributes)


def test_a_turn_that_calls_and_one_that_answers() -> None:
    spans = [*turn(0, 20, EMPTY, CALL), *turn(100, 60, PROSE)]
    assert output_kinds(spans, ["t"]) == OutputKinds(20.0, 60.0, 0.0)
    assert output_kinds(spans, ["another"]) == OutputKinds(None, None, 0.0)


def test_a_turn_that_does_both_is_known_only_where_the_server_counts() -> None:
    both = [*turn(0, 20, PROSE, CALL), *turn(100, 60, PROSE)]
    assert output_kinds(both, ["t"]) == OutputKinds(None, None, 0.0)
    counted = [*turn(0, 20, PROSE, CALL, in_calls=12), *turn(100, 60, PROSE, in_calls=0)]
    assert output_kinds(counted, ["t"]) == OutputKinds(12.0, 68.0, 0.0)


def test_without_content_it_is_not_known() -> None:
    assert output_kinds([*turn(0, 20), *turn(100, 60)], ["t"]) == OutputKinds(None, None, 0.0)


def test_thinking_is_not_told_apart_from_prose() -> None:
    assert output_kinds(turn(0, 80, THOUGHT, PROSE), ["t"]) == OutputKinds(0.0, 80.0, None)
