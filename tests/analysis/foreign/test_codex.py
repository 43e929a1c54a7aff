"""Codex CLI's spans, as its source makes them."""

from __future__ import annotations

from msgspec.structs import replace
from small_traces import findings, only, phases_ms, span

from punie.trace.model import Span


def event(name: str, parent: str, start: float, end: float, tokens: int = 0) -> Span:
    counts = {"input_tokens": 12 * tokens, "cache_read.input_tokens": 3 * tokens, "output_tokens": tokens}
    said = {f"gen_ai.usage.{key}": count for key, count in counts.items()} if tokens else {}
    return span(name, parent, start, end, {"from": "x", **said})


def turn(tokens: int) -> tuple[Span, ...]:
    """Two requests of 25 ms, a tool of 40 ms after the first, for which its stream's span stays open."""
    ask = {"turn_id": "t", "model": "gpt-5"}
    return (
        span("session_task.turn", None, 0, 120, {"model": "gpt-5"}),
        span("try one", "session_task.turn", 0, 70, ask),
        replace(span("s1", "try one", 4, 70), name="receiving_stream"),
        event("created", "s1", 4, 8),
        event("completed", "s1", 8, 29, tokens),
        span("exec", "try one", 30, 70, {"tool_name": "exec_command", "call_id": "c1"}),
        span("try two", "session_task.turn", 75, 110, ask),
        replace(span("s2", "try two", 80, 109), name="receiving_stream"),
        event("done", "s2", 80, 105, tokens),
    )


def test_a_stream_is_a_call_up_to_the_event_that_has_its_counts() -> None:
    record = only(*turn(tokens=10))
    assert (record.wall_ns / 1e6, record.model_requests, record.tool_calls) == (120, 2, 1)
    assert (record.input_tokens, record.cached_tokens, record.output_tokens) == (240, 60, 20)
    assert phases_ms(record) == {"model": 50, "tool": 40, "framework": 30}
    assert findings(*turn(tokens=10)) == {}


def test_a_stream_without_counts_is_no_call() -> None:
    record = only(*turn(tokens=0))
    assert (record.model_requests, record.output_tokens) == (0, None)
