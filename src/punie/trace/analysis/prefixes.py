"""Which earlier request a server had read most of, found by the digests of its messages."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from punie.trace.analysis.requests import ModelRequest


@dataclass(frozen=True, slots=True)
class Prefix:
    """What a request's message list shares with those that the same server had answered before it began.

    `earlier` is the one that shares most messages from the start (the newest of equals), or the same agent's
    newest one if none shares even the first message. `messages` counts what is shared from the start.
    `whole_tokens` is the prompt of the longest earlier request whose whole list is a prefix of this one's, 0 if
    there is none; `is_whole` tells that this is all that is shared. `least_tokens` is the shortest earlier prompt
    that has all the shared messages, so these can't be more.
    """

    earlier: ModelRequest
    messages: int
    whole_tokens: int
    is_whole: bool
    least_tokens: int


@dataclass(slots=True)
class _Node:
    """A list of messages that began some prompt."""

    newest: ModelRequest | None = None
    least_tokens: int = 0
    ending_tokens: int | None = None  # of a prompt that is this list and no more
    after: dict[str, _Node] = field(default_factory=dict)


@dataclass(slots=True)
class _ReadBefore:
    """Everything that one server has read so far."""

    root: _Node = field(default_factory=_Node)
    newest_of: dict[tuple[str, str], ModelRequest] = field(default_factory=dict)

    def add(self, request: ModelRequest, tokens: int) -> None:
        node = self.root
        for digest in request.digests:
            node = node.after.setdefault(digest, _Node())
            node.least_tokens = tokens if node.newest is None else min(node.least_tokens, tokens)
            node.newest = request
        node.ending_tokens = tokens
        self.newest_of[request.query_key, request.agent] = self.newest_of["", request.agent] = request

    def find(self, request: ModelRequest) -> Prefix | None:
        node, messages, whole_tokens, whole_messages = self.root, 0, 0, 0
        for digest in request.digests:
            if digest not in node.after:
                break
            node, messages = node.after[digest], messages + 1
            if node.ending_tokens is not None:
                whole_tokens, whole_messages = node.ending_tokens, messages
        earlier = node.newest if messages else self._same_agent(request)
        if earlier is None:
            return None
        is_whole = bool(messages) and whole_messages == messages
        return Prefix(earlier, messages, whole_tokens, is_whole, node.least_tokens)

    def _same_agent(self, request: ModelRequest) -> ModelRequest | None:
        in_query = self.newest_of.get((request.query_key, request.agent))
        return in_query or self.newest_of.get(("", request.agent))


def longest_prefixes(requests: Sequence[ModelRequest]) -> Iterator[tuple[ModelRequest, Prefix | None]]:
    """Each request, by its start, with what it shares; a request counts as read once it has ended.

    Requests without digests or without a count of input tokens share nothing and are nothing to share with.
    """
    servers: dict[str, _ReadBefore] = {}
    running: list[tuple[int, int, ModelRequest, int]] = []
    ties = count()
    for request in sorted(requests, key=lambda request: (request.start_ns, request.end_ns, request.span_id)):
        while running and running[0][0] <= request.start_ns:
            _, _, ended, tokens = heapq.heappop(running)
            servers.setdefault(ended.server, _ReadBefore()).add(ended, tokens)
        if not request.digests or request.tokens.input is None:
            yield request, None
            continue
        heapq.heappush(running, (request.end_ns, next(ties), request, request.tokens.input))
        yield request, servers.setdefault(request.server, _ReadBefore()).find(request)
