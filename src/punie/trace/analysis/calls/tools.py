"""How many tool calls spans show: one that the framework and the protocol both show is one.

execute_tool lookup   |--------------------|      the framework's span
tools/call lookup        |--------------|         the protocol's client, below it or beside it
tools/call lookup          |----------|           the protocol's server
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from punie.trace import semconv
from punie.trace.analysis.calls.contexts import Roles
from punie.trace.analysis.trees.roles import Role
from punie.trace.analysis.trees.tree import Forest, SpanKey
from punie.trace.model import Span

_MERGED: Final = (
    "(merged"  # ADK's span for the answers of tools that ran in parallel: execute_tool (merged tools)
)
_HIDES: Final = {Role.CHAT, Role.AGENT}


def tool_calls(forest: Forest, role: Roles, keys: Iterable[SpanKey]) -> list[SpanKey]:
    """Those of `keys` that are a tool's call each."""
    tools = [key for key in keys if role[key] is Role.TOOL]
    spans = [forest.spans[key] for key in tools]
    return [
        key for key in tools if not _is_merging(forest.spans[key]) and not _is_shown(forest, role, key, spans)
    ]


def _is_merging(span: Span) -> bool:
    name = semconv.text(span.attributes, semconv.TOOL_NAME) or ""
    return name.startswith(_MERGED) or span.name.rpartition(" ")[2].startswith(_MERGED)


def _is_shown(forest: Forest, role: Roles, key: SpanKey, tools: Iterable[Span]) -> bool:
    """Whether a span above, or one of the framework's around a span of the protocol's, shows the same call."""
    span = forest.spans[key]
    for above in forest.above(key):
        if role[above] in _HIDES:
            break
        if role[above] is Role.TOOL:
            return _is_one_call(span, forest.spans[above])
    return _is_of_protocol(span) and any(
        not _is_of_protocol(other) and _name(other) == _name(span) and _is_around(other, span)
        for other in tools
    )


def _is_one_call(inner: Span, outer: Span) -> bool:
    if _is_of_protocol(inner):
        return True
    ids = [one.attributes.get(semconv.TOOL_CALL_ID) for one in (inner, outer)]
    return ids[0] == ids[1] if None not in ids else _name(inner) == _name(outer)


def _is_of_protocol(span: Span) -> bool:
    return semconv.MCP_METHOD in span.attributes


def _name(span: Span) -> str | None:
    return semconv.text(span.attributes, semconv.TOOL_NAME)


def _is_around(outer: Span, inner: Span) -> bool:
    return outer.start_ns <= inner.start_ns and inner.end_ns <= outer.end_ns
