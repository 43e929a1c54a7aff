"""Which earlier request a server had read most of, found by the digests of its messages."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import msgspec

from punie.trace.analysis.queries.requests import MessageList, ModelRequest


class Prefix(msgspec.Struct, frozen=True):
    """What a request's message list shares with those that the same server had answered before it began.

    `earlier` is the one that shares most messages from the start (the newest of equals), or the same agent's
    newest one if none shares even the first message. `messages` counts what is shared from the start.
    `whole_tokens` is the prompt of the longest earlier request whose whole list is a prefix of this one's, 0 if
    there is none; `is_whole` says that this is all that is shared. `least_tokens` is the shortest earlier prompt
    that has all the shared messages, so these can't be more. `now` and `before` are the two lists that were compared:
    the server's own of both, or the client's of both where a server told none.
    """

    earlier: ModelRequest
    now: MessageList
    before: MessageList
    messages: int
    whole_tokens: int
    is_whole: bool
    least_tokens: int


class _Node(msgspec.Struct):
    """A list of messages that began some prompt."""

    newest: tuple[ModelRequest, MessageList] | None = None
    least_tokens: int = 0
    ending_tokens: int | None = None  # of a prompt that is this list and no more
    after: dict[str, _Node] = msgspec.field(default_factory=dict)


@dataclass(slots=True)
class _ReadBefore:
    """Everything that one server has read so far."""

    roots: tuple[_Node, _Node] = field(default_factory=lambda: (_Node(), _Node()))  # as served, as told
    newest_of: dict[tuple[str, str], ModelRequest] = field(default_factory=dict)

    def add(self, request: ModelRequest, tokens: int) -> None:
        for root, messages in zip(self.roots, _lists(request), strict=True):
            node = root
            for digest in messages.digests:
                node = node.after.setdefault(digest, _Node())
                node.least_tokens = tokens if node.newest is None else min(node.least_tokens, tokens)
                node.newest = request, messages
            node.ending_tokens = tokens
        self.newest_of[request.query_key, request.agent] = self.newest_of["", request.agent] = request

    def find(self, request: ModelRequest) -> Prefix | None:
        shared = (
            _longest(root, messages) for root, messages in zip(self.roots, _lists(request), strict=True)
        )
        longest = next((prefix for prefix in shared if prefix is not None), None)
        return longest if longest is not None else self._nothing_shared(request)

    def _nothing_shared(self, request: ModelRequest) -> Prefix | None:
        earlier = self._same_agent(request)
        if earlier is None:
            return None
        pairs = zip(_lists(request), _lists(earlier), strict=True)
        both = next(((now, before) for now, before in pairs if now.digests and before.digests), None)
        return None if both is None else Prefix(earlier, *both, 0, 0, is_whole=False, least_tokens=0)

    def _same_agent(self, request: ModelRequest) -> ModelRequest | None:
        in_query = self.newest_of.get((request.query_key, request.agent))
        return in_query or self.newest_of.get(("", request.agent))


def _lists(request: ModelRequest) -> tuple[MessageList, MessageList]:
    """The server's own first: it has counts."""
    return request.server_messages, request.client_messages


def _longest(root: _Node, messages: MessageList) -> Prefix | None:
    node, shared, whole_tokens, whole_messages = root, 0, 0, 0
    for digest in messages.digests:
        if digest not in node.after:
            break
        node, shared = node.after[digest], shared + 1
        if node.ending_tokens is not None:
            whole_tokens, whole_messages = node.ending_tokens, shared
    if node.newest is None:
        return None
    earlier, before = node.newest
    return Prefix(
        earlier,
        messages,
        before,
        shared,
        whole_tokens,
        is_whole=whole_messages == shared,
        least_tokens=node.least_tokens,
    )


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
        if not request.has_messages or request.tokens.input is None:
            yield request, None
            continue
        heapq.heappush(running, (request.end_ns, next(ties), request, request.tokens.input))
        yield request, servers.setdefault(request.server, _ReadBefore()).find(request)
