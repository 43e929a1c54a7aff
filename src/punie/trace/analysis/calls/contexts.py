"""Where each span hangs: in which model call, in which HTTP request of it, or in a tool.

Of calls and tools only the nearest counts: what a tool asks is its own. A POST to a model whose call nobody traced
stands for that call, wherever it hangs, also inside a tool. What fills a tool's time from beside it is the tool's:

    agent    |------------------------------------|
    tool        |----------------------|                it was called in this context,
    POST          |-----------------|                   and its transport kept the one in which it was connected
    GET      |------------------------------------|     a stream that is open all along: nobody waits for that
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Final

import msgspec

from punie.trace.analysis.calls.addresses import address, is_model_address
from punie.trace.analysis.foreign.calls_around_tools import is_callers_work
from punie.trace.analysis.trees.roles import Role, can_be_model_request
from punie.trace.analysis.trees.tree import Forest, SpanKey
from punie.trace.model import Span

Roles = Mapping[SpanKey, Role]
OPENING: Final = frozenset({Role.CHAT, Role.TOOL, Role.HTTP})
"""The roles without any of which no span of a trace hangs in anything."""

_WORK: Final = {Role.CHAT, Role.TOOL, Role.AGENT}


class Contexts(msgspec.Struct, frozen=True):
    """For each span what it hangs in, where it hangs in anything; a call is in itself, and so is a request.

    `request` is the nearest HTTP span at or above a span, within its call or tool. `outer` is the call around a call.
    `posts` are the POSTs to a model outside of calls, `background` HTTP spans beside whole tools or calls.
    `filling` are the addresses at which POSTs of these trees fill their call, `strange` those of POSTs outside of calls
    of which nothing says that a model answers there.
    """

    call: dict[SpanKey, SpanKey] = msgspec.field(default_factory=dict)
    outer: dict[SpanKey, SpanKey] = msgspec.field(default_factory=dict)
    in_tool: set[SpanKey] = msgspec.field(default_factory=set)
    request: dict[SpanKey, SpanKey] = msgspec.field(default_factory=dict)
    posts: set[SpanKey] = msgspec.field(default_factory=set)
    background: set[SpanKey] = msgspec.field(default_factory=set)
    filling: set[str] = msgspec.field(default_factory=set)
    strange: set[str] = msgspec.field(default_factory=set)


def find_contexts(forest: Forest, role: Roles, addresses: Set[str] = frozenset()) -> Contexts:
    """Walk all trees once, from their tops; `addresses` are those that POSTs of other trees fill their call with."""
    contexts = Contexts(filling=set(_filling_addresses(forest, role)))
    beside = _Beside(forest, role)
    known = contexts.filling | addresses
    for key in forest.order:
        parent = forest.parent[key]
        if parent is not None:
            _inherit(contexts, key, parent)
        match role[key]:
            case Role.OTHER | Role.SERVER:
                pass
            case Role.CHAT:
                _open_call(contexts, key)
            case Role.TOOL:
                contexts.call.pop(key, None)
                contexts.request.pop(key, None)
                contexts.in_tool.add(key)
            case Role.AGENT if key in contexts.call and key not in contexts.request:
                if is_callers_work(forest.spans[key], forest.spans[contexts.call[key]]):
                    contexts.call.pop(key)
            case Role.HTTP:
                if key not in contexts.call:
                    _place_request(contexts, forest, key, known, beside)
                contexts.request[key] = key
    return contexts


def _inherit(contexts: Contexts, key: SpanKey, parent: SpanKey) -> None:
    if (call := contexts.call.get(parent)) is not None:
        contexts.call[key] = call
    elif parent in contexts.in_tool:
        contexts.in_tool.add(key)
    if (request := contexts.request.get(parent)) is not None:
        contexts.request[key] = request


def _open_call(contexts: Contexts, key: SpanKey) -> None:
    if (around := contexts.call.get(key)) is not None:
        contexts.outer[key] = around
    contexts.call[key] = key
    contexts.in_tool.discard(key)
    contexts.request.pop(key, None)


def _place_request(
    contexts: Contexts, forest: Forest, key: SpanKey, known: set[str], beside: _Beside
) -> None:
    span = forest.spans[key]
    place = address(span) if can_be_model_request(span) else ""
    if (place in known or is_model_address(place)) and not beside.has_work_below(key):
        _open_call(contexts, key)
        contexts.posts.add(key)
        return
    if place:
        contexts.strange.add(place)
    if key in contexts.in_tool:
        return
    if beside.around_work(span) and not beside.has_work_below(key):
        contexts.background.add(key)
    elif beside.in_a_tool(span):
        contexts.in_tool.add(key)


def _filling_addresses(forest: Forest, role: Roles) -> Iterator[str]:
    """Where the POSTs went that fill most of their call."""
    for key, parent in forest.parent.items():
        if parent is None or role[key] is not Role.HTTP or role[parent] is not Role.CHAT:
            continue
        span, call = forest.spans[key], forest.spans[parent]
        if (
            can_be_model_request(span)
            and span.duration_ns * 2 > call.duration_ns
            and (place := address(span))
        ):
            yield place


class _Beside:
    """The tools and calls of each trace, for what hangs beside them."""

    def __init__(self, forest: Forest, role: Roles) -> None:
        self._forest, self._role = forest, role
        self._tools: dict[str, list[Span]] = {}
        self._work: dict[str, list[Span]] = {}
        for key, own in role.items():
            if own is Role.TOOL or own is Role.CHAT:
                self._work.setdefault(key[0], []).append(forest.spans[key])
                if own is Role.TOOL:
                    self._tools.setdefault(key[0], []).append(forest.spans[key])

    def in_a_tool(self, request: Span) -> bool:
        """Whether the greater part of a request lies in the time of one tool."""
        return any(
            2 * (min(request.end_ns, tool.end_ns) - max(request.start_ns, tool.start_ns))
            > request.duration_ns
            for tool in self._tools.get(request.trace_id, ())
        )

    def around_work(self, request: Span) -> bool:
        """Whether a request is open during a whole tool or call."""
        return any(
            request.start_ns <= work.start_ns < work.end_ns <= request.end_ns
            for work in self._work.get(request.trace_id, ())
        )

    def has_work_below(self, key: SpanKey) -> bool:
        """Whether an agent, a tool or a call hangs below a request: then it isn't beside them."""
        pending = list(self._forest.children.get(key, ()))
        for below in pending:  # grows while we walk it
            if self._role[below] in _WORK:
                return True
            pending.extend(self._forest.children.get(below, ()))
        return False
