"""Each request to a model: its tokens, its prefill, and the digests of what it was asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import lru_cache
from sys import intern
from typing import Final

import msgspec

from punie.trace import semconv
from punie.trace.analysis.calls.calls import Call, PhaseSpan
from punie.trace.analysis.calls.usage import Reporter, TokenCounts, excludes_cached, reporter_of, token_counts
from punie.trace.analysis.queries.roots import query_key
from punie.trace.analysis.queries.traces import Traces
from punie.trace.analysis.queries.windows import union_ns
from punie.trace.analysis.trees.roles import is_server
from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.model import AttributeValue, Phase, Provenance, Span

_MESSAGE_ATTRIBUTES: Final = frozenset(
    {semconv.MESSAGE_DIGESTS, semconv.MESSAGE_LENGTHS, semconv.MESSAGE_TOKENS}
)
_PROCESS: Final = (semconv.HOST_NAME, semconv.PROCESS_PID)


class MessageList(msgspec.Struct, frozen=True, gc=False):
    """What a model was asked, an entry a message, the first for instructions and tools; empty where nobody wrote it.

    `lengths` are characters. `tokens` counts from the prompt's start to each message's end, None where that end is
    not known; it is empty where nobody counted.
    """

    digests: tuple[str, ...] = ()
    lengths: tuple[int, ...] = ()
    tokens: tuple[int | None, ...] = ()


_NO_MESSAGES: Final = MessageList()


class ModelRequest(msgspec.Struct, frozen=True, gc=False):
    """One request to a model, as its spans report it.

    `turn` counts the requests of its query, from 0, by their start. `server` names what shares one prompt cache:
    run, server start, address, model. `prefill_ns` and `decode_ns` are the last attempt's, None where no span reports
    them apart; `prefill_known` says how prefill is known. `client_messages` are what it was asked as the client wrote
    it, `server_messages` as the last server did: each digests in its own way, so the two can't be compared.
    """

    query_key: str
    query_id: str
    trace_id: str
    span_id: str
    warmup: bool
    repeat: int
    server_start: int
    turn: int
    server: str
    agent: str
    start_ns: int
    end_ns: int
    tokens: TokenCounts
    prefill_ns: int | None = None
    prefill_known: Provenance | None = None
    decode_ns: int | None = None
    client_messages: MessageList = MessageList()
    server_messages: MessageList = MessageList()

    @property
    def has_messages(self) -> bool:
        """Whether client or server wrote what the model was asked."""
        return bool(self.client_messages.digests or self.server_messages.digests)


def reporters(traces: Traces) -> frozenset[Reporter]:
    """The reporters of the tokens of requests."""
    return _one_set(frozenset(map(reporter_of, traces.calls.requests.values())))


def reporters_excluding_cached(traces: Traces) -> frozenset[Reporter]:
    """The reporters of prompts without what of them was cached."""
    apart = [reporter_of(call) for call in traces.calls.requests.values() if excludes_cached(call)]
    return _one_set(frozenset(apart))


@lru_cache(maxsize=64)
def _one_set(of: frozenset[Reporter]) -> frozenset[Reporter]:
    """The same object for equal sets: nearly all traces of a source have one."""
    return of


def read_requests(
    traces: Traces, query_ids: Mapping[SpanKey, str], apart: Set[Reporter] = frozenset()
) -> Mapping[SpanKey, tuple[ModelRequest, ...]]:
    """The model requests of every query by its root, in the order of their start; `query_ids` names the roots.

    `apart` are reporters of prompts without what of them was cached.
    """
    names = {root: query_key(root) for root in traces.requests}  # each name once
    return {
        root: tuple(
            [
                _request(traces, root, names[root], query_ids[root], turn, call, apart)
                for turn, call in enumerate(calls)
            ]
        )
        for root, calls in traces.requests.items()
    }


def _of_phase(call: Call, phase: Phase) -> list[PhaseSpan]:
    """Those of the last attempt that has any, by their start."""
    spans = [one for one in call.phases if one.phase is phase]
    return [one for one in spans if one.attempt == spans[-1].attempt]


def _open_ns(phases: Sequence[PhaseSpan]) -> int | None:
    """The time in which any is open: SGLang's prefill in pieces has a span for each piece, and one around them."""
    return union_ns((one.span.start_ns, one.span.end_ns) for one in phases) if phases else None


def _request(
    traces: Traces,
    root_key: SpanKey,
    query: str,
    query_id: str,
    turn: int,
    call: Call,
    apart: Set[Reporter],
) -> ModelRequest:
    root, chat = traces.forest.spans[root_key], call.span
    attributes, arm = root.attributes, semconv.text(root.attributes, semconv.QUERY_CACHE)
    prefills, decodes = _of_phase(call, Phase.PREFILL), _of_phase(call, Phase.DECODE)
    return ModelRequest(
        query_key=query,
        query_id=query_id,
        trace_id=chat.trace_id,
        span_id=chat.span_id,
        warmup=attributes.get(semconv.QUERY_WARMUP) is True,
        repeat=semconv.integer(attributes, semconv.QUERY_REPEAT) or 0,
        server_start=traces.starts[root_key].number,
        turn=turn,
        server=_server(root, chat),
        agent=semconv.text(chat.attributes, semconv.AGENT_NAME) or "",
        start_ns=chat.start_ns,
        end_ns=chat.end_ns,
        tokens=token_counts(call, cache_arm=arm, apart=apart),
        prefill_ns=_open_ns(prefills),
        prefill_known=prefills[-1].provenance if prefills else None,
        decode_ns=_open_ns(decodes),
        client_messages=_NO_MESSAGES if is_server(chat) else _messages(chat),
        server_messages=_messages(call.servers[-1]) if call.servers else _NO_MESSAGES,
    )


def _messages(span: Span) -> MessageList:
    if _MESSAGE_ATTRIBUTES.isdisjoint(span.attributes):
        return _NO_MESSAGES
    digests = tuple([str(item) for item in _items(span.attributes.get(semconv.MESSAGE_DIGESTS))])
    tokens = _counts(span, semconv.MESSAGE_TOKENS)
    return MessageList(
        digests=digests,
        lengths=_counts(span, semconv.MESSAGE_LENGTHS),
        tokens=tuple(_up_to_each(tokens)) if len(tokens) == len(digests) else (),
    )


def _up_to_each(tokens: Iterable[int]) -> Iterator[int | None]:
    total = 0
    for count in tokens:
        total += max(0, count)
        yield None if count == semconv.MESSAGE_TOKENS_NOT_KNOWN else total


def _counts(span: Span, name: str) -> tuple[int, ...]:
    return tuple([item for item in _items(span.attributes.get(name)) if isinstance(item, int)])


def _server(root: Span, chat: Span) -> str:
    parts = (
        semconv.first(root.attributes, semconv.RUN_ID),
        semconv.integer(root.attributes, semconv.QUERY_SERVER_START) or 0,
        semconv.first(chat.attributes, semconv.SERVER_ADDRESS),
        semconv.first(chat.attributes, semconv.SERVER_PORT),
        semconv.first(chat.attributes, semconv.REQUEST_MODEL),
        *((chat.resource.get(name) for name in _PROCESS) if is_server(chat) else ()),
    )
    return intern("/".join([str(part) for part in parts]))


def _items(value: AttributeValue) -> Sequence[AttributeValue]:
    if value is None or isinstance(value, list | tuple):
        return value or ()
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()
