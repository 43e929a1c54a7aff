"""How many tool calls spans show: one that the framework and the protocol both show is one.

execute_tool lookup   |--------------------|      the framework's span
tools/call lookup        |--------------|         the protocol's client, below it or beside it
tools/call lookup          |----------|           the protocol's server
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    tools = [(key, forest.spans[key]) for key in keys if role[key] is Role.TOOL]
    of_tools: list[SpanKey] = []
    is_of_one = len({span.scope for _, span in tools}) < 2 and not any(
        _is_of_protocol(span) for _, span in tools
    )
    same_id: dict[str, list[Span]] = {}
    for at, (key, span) in enumerate(tools):
        if is_of_one:  # there one id alone tells: thousands of calls are not held against each other
            earlier = same_id.setdefault(str(span.attributes.get(semconv.TOOL_CALL_ID)), [])
            others = earlier[:] if semconv.TOOL_CALL_ID in span.attributes else []
            earlier.append(span)
        else:
            others = [other for _, other in tools[:at] + (tools[at + 1 :] if _is_of_protocol(span) else [])]
        is_shown = any(_is_one_call(span, above) for above in _tools_above(forest, role, key))
        if not (_is_merging(span) or is_shown or any(_shows_the_same(other, span) for other in others)):
            of_tools.append(key)
    return of_tools


def _is_merging(span: Span) -> bool:
    name = semconv.text(span.attributes, semconv.TOOL_NAME) or ""
    return name.startswith(_MERGED) or span.name.rpartition(" ")[2].startswith(_MERGED)


def _tools_above(forest: Forest, role: Roles, key: SpanKey) -> Iterator[Span]:
    """The next tool's span above one, and those above it as long as they are the protocol's."""
    for above in forest.above(key):
        if role[above] in _HIDES:
            return
        if role[above] is Role.TOOL:
            yield forest.spans[above]
            if not _is_of_protocol(forest.spans[above]):
                return


def _is_one_call(inner: Span, outer: Span) -> bool:
    if _is_of_protocol(inner):
        return True
    ids = [one.attributes.get(semconv.TOOL_CALL_ID) for one in (inner, outer)]
    if None not in ids:
        return ids[0] == ids[1]
    is_step = inner.name.startswith(f"{outer.name}.")  # acme.tool.execution in acme.tool
    return is_step or _is_one_name(inner, outer)


def _shows_the_same(other: Span, span: Span) -> bool:
    """Whether a span beside another shows the same call: by one id, or as another instrumentation's in its time."""
    ids = [one.attributes.get(semconv.TOOL_CALL_ID) for one in (other, span)]
    if None not in ids and ids[0] == ids[1]:
        return other.start_ns < span.end_ns and span.start_ns < other.end_ns
    if _is_of_protocol(span):
        return not _is_of_protocol(other) and _is_around(other, span) and _is_one_name(span, other)
    is_in_time = other.scope != span.scope and _share_their_time(other, span)
    return None in ids and is_in_time and _is_one_name(span, other)


def _share_their_time(one: Span, other: Span) -> bool:
    """Whether 95 % of the shorter lie in the other: neither instrumentation has to be the outer one."""
    shared_ns = min(one.end_ns, other.end_ns) - max(one.start_ns, other.start_ns)
    return shared_ns >= 0 and shared_ns * 100 >= min(one.duration_ns, other.duration_ns) * 95


def _is_around(outer: Span, inner: Span) -> bool:
    return outer.start_ns <= inner.start_ns and inner.end_ns <= outer.end_ns


def _is_of_protocol(span: Span) -> bool:
    return semconv.MCP_METHOD in span.attributes


def _is_one_name(one: Span, other: Span) -> bool:
    """Whether two spans name one tool, one of them perhaps with its server's name before it: `files__read`."""
    names = sorted((semconv.text(span.attributes, semconv.TOOL_NAME) or "" for span in (one, other)), key=len)
    rest = names[1].removesuffix(names[0])
    return names[0] == names[1] or (bool(names[0]) and rest != names[1] and not rest[-1].isalnum())
