"""How many tool calls spans show."""

from __future__ import annotations

import pytest
from small_traces import agent, chat, only, server, span, tool

from punie.trace.model import Span


def mcp(name: str, parent: str, start: float, end: float, called: str = "lookup") -> Span:
    return span(name, parent, start, end, {"mcp.method.name": "tools/call", "gen_ai.tool.name": called})


def named(name: str, parent: str, start: float, end: float, called: str, call_id: str | None = None) -> Span:
    return tool(name, parent, start, end, {"gen_ai.tool.name": called, "gen_ai.tool.call.id": call_id})


@pytest.mark.parametrize(
    ("spans", "calls"),
    [
        ((named("x", "a", 10, 20, "lookup"), mcp("y", "x", 11, 19), mcp("z", "y", 12, 18)), 1),
        ((named("x", "a", 10, 20, "lookup"), mcp("y", "x", 11, 19, "server__lookup")), 1),
        ((named("x", "a", 10, 20, "lookup"), mcp("y", "a", 11, 19)), 1),  # the protocol's hangs beside it
        ((named("x", "a", 10, 20, "lookup"), server("s", "x", 11, 19), mcp("y", "s", 12, 18)), 1),
        (
            (
                named("x", "a", 10, 20, "lookup"),
                mcp("y", "x", 11, 19, "tools/call.mcp"),
                named("z", "y", 12, 18, "lookup"),
            ),
            1,  # Traceloop's server shows it once more
        ),
        ((mcp("x", "a", 10, 20), mcp("y", "a", 11, 19)), 2),
        ((named("x", "a", 10, 20, "lookup"), named("y", "a", 11, 19, "lookup")), 2),  # two in parallel
        ((named("x", "a", 10, 20, "lookup"), named("y", "x", 11, 19, "lookup")), 1),
        ((named("x", "a", 10, 20, "fib", "1"), named("y", "x", 11, 19, "fib", "2")), 2),  # it calls itself
        ((named("x", "a", 10, 20, "f", "1"), named("y", "x", 11, 19, "g", "1")), 1),
        ((named("x", "a", 10, 20, "run"), named("y", "x", 11, 19, "lookup")), 2),
        ((named("x", "a", 10, 20, "ask"), agent("b", "x", 11, 19), named("y", "b", 12, 18, "ask")), 2),
        ((named("x", "a", 10, 20, "lookup"), named("y", "a", 20, 20.1, "(merged tools)")), 1),
        ((tool("execute_tool (merged)", "a", 20, 20.1),), 0),
    ],
)
def test_a_tool_s_call_counts_once(spans: tuple[Span, ...], calls: int) -> None:
    assert only(agent("a", None, 0, 100), chat("asks", "a", 0, 9), *spans).tool_calls == calls


@pytest.mark.parametrize(
    ("scope", "called", "end", "calls"),
    [
        ("b", "lookup", 19, 1),
        ("b", "lookup", 20.4, 1),
        ("a", "lookup", 19, 2),
        ("b", "other", 19, 2),
        ("b", "lookup", 21, 2),
    ],
)
def test_two_instrumentations_beside_each_other_show_one_call(
    scope: str, called: str, end: float, calls: int
) -> None:
    spans = (
        tool("x", "a", 10, 20, {"gen_ai.tool.name": "lookup", "gen_ai.tool.call.id": "1"}, scope="a"),
        tool("y", "a", 11, end, {"gen_ai.tool.name": called}, scope=scope),
    )
    assert only(agent("a", None, 0, 100), chat("asks", "a", 0, 9), *spans).tool_calls == calls
