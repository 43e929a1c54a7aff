"""Each request to a model: its tokens, its prefill, and the digests of what it was asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from punie.trace import semconv
from punie.trace.analysis.calls.usage import TokenCounts, is_model_request, token_counts
from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.analysis.queries.roots import query_key
from punie.trace.analysis.queries.traces import Traces
from punie.trace.analysis.trees.roles import Role, is_server
from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.model import AttributeValue, Phase, Provenance, Span

_PROCESS: Final = (semconv.HOST_NAME, semconv.PROCESS_PID)


@dataclass(frozen=True, slots=True)
class MessageList:
    """What a model was asked, an entry a message, the first for instructions and tools; empty where nobody wrote it.

    `lengths` are characters. `tokens` counts from the prompt's start to each message's end, None where that end is
    not known; it is empty where nobody counted.
    """

    digests: tuple[str, ...] = ()
    lengths: tuple[int, ...] = ()
    tokens: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request to a model, as its spans tell it.

    `turn` counts the requests of its query, from 0, by their start. `server` names what shares one prompt cache:
    run, server start, address, model. `prefill_ns` is the last attempt's, None where no span tells prefill apart;
    `prefill_known` says how it is known. `told` are the messages as the client tells them, `served` as the server
    that answered last does: each digests them in its own way, so the two can't be compared.
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
    told: MessageList = MessageList()
    served: MessageList = MessageList()

    @property
    def has_messages(self) -> bool:
        """Whether client or server wrote what the model was asked."""
        return bool(self.told.digests or self.served.digests)


@dataclass(frozen=True, slots=True)
class _Below:
    """What hangs below a model request: the server's spans, and the prefills of its last attempt, by their start."""

    servers: tuple[Span, ...] = ()
    prefills: tuple[PhasedSpan, ...] = ()


def read_requests(
    traces: Traces, phased: Iterable[PhasedSpan], query_ids: Mapping[SpanKey, str]
) -> Mapping[SpanKey, tuple[ModelRequest, ...]]:
    """The model requests of every query by its root, in the order of their start; `query_ids` names the roots."""
    chats: dict[SpanKey, list[SpanKey]] = {root: [] for root in traces.queries.roots}
    for key in traces.forest.order:
        root = traces.queries.of.get(key)
        if root is not None and is_model_request(traces.around, key):
            chats[root].append(key)
    below = _look_below(traces, phased)
    spans = traces.forest.spans
    return {
        root: tuple(
            _request(traces, root, query_ids[root], turn, spans[key], below.get(key, _Below()))
            for turn, key in enumerate(sorted(keys, key=lambda key: (spans[key].start_ns, key)))
        )
        for root, keys in chats.items()
    }


def _look_below(traces: Traces, phased: Iterable[PhasedSpan]) -> dict[SpanKey, _Below]:
    prefills = {(span.trace_id, span.span_id): span for span in phased if span.phase is Phase.PREFILL}
    request_of: dict[SpanKey, SpanKey] = {}
    servers: dict[SpanKey, list[Span]] = {}
    attempt_of: dict[SpanKey, SpanKey] = {}
    found: dict[SpanKey, list[tuple[SpanKey, PhasedSpan]]] = {}
    for key in traces.forest.order:
        parent = traces.forest.parent[key]
        if is_model_request(traces.around, key):
            request_of[key] = attempt_of[key] = key
        elif parent in request_of and traces.around.role[key] is not Role.TOOL:
            request_of[key] = request = request_of[parent]
            attempt_of[key] = key if traces.around.role[key] is Role.HTTP else attempt_of[parent]
            if traces.around.role[key] is Role.SERVER:
                servers.setdefault(request, []).append(traces.forest.spans[key])
            if key in prefills:
                found.setdefault(request, []).append((attempt_of[key], prefills[key]))
    return {
        key: _Below(
            tuple(sorted(servers.get(key, ()), key=lambda span: span.start_ns)),
            _of_last_attempt(found.get(key, ())),
        )
        for key in servers.keys() | found.keys()
    }


def _of_last_attempt(found: Sequence[tuple[SpanKey, PhasedSpan]]) -> tuple[PhasedSpan, ...]:
    by_start = sorted(found, key=lambda pair: pair[1].start_ns)
    return tuple(span for attempt, span in by_start if attempt == by_start[-1][0])


def _union_ns(by_start: Sequence[PhasedSpan]) -> int:
    """The time in which any is open: SGLang's prefill in pieces has a span for each piece, and one around them."""
    total_ns, reached_ns = 0, by_start[0].start_ns
    for span in by_start:
        total_ns += max(0, span.end_ns - max(span.start_ns, reached_ns))
        reached_ns = max(reached_ns, span.end_ns)
    return total_ns


def _request(
    traces: Traces, root_key: SpanKey, query_id: str, turn: int, chat: Span, below: _Below
) -> ModelRequest:
    root = traces.forest.spans[root_key]
    said, arm = root.attributes, semconv.text(root.attributes, semconv.QUERY_CACHE)
    prefills = below.prefills
    servers = (chat,) if is_server(chat) else below.servers
    return ModelRequest(
        query_key=query_key(root_key),
        query_id=query_id,
        trace_id=chat.trace_id,
        span_id=chat.span_id,
        warmup=said.get(semconv.QUERY_WARMUP) is True,
        repeat=semconv.integer(said, semconv.QUERY_REPEAT) or 0,
        server_start=traces.starts[root_key].number,
        turn=turn,
        server=_server(root, chat),
        agent=semconv.text(chat.attributes, semconv.AGENT_NAME) or "",
        start_ns=chat.start_ns,
        end_ns=chat.end_ns,
        tokens=token_counts(chat, below.servers, cache_arm=arm),
        prefill_ns=_union_ns(prefills) if prefills else None,
        prefill_known=prefills[-1].provenance if prefills else None,
        told=MessageList() if is_server(chat) else _messages(chat),
        served=_messages(servers[-1]) if servers else MessageList(),
    )


def _messages(span: Span) -> MessageList:
    digests = tuple(str(item) for item in _items(span.attributes.get(semconv.MESSAGE_DIGESTS)))
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
    return tuple(item for item in _items(span.attributes.get(name)) if isinstance(item, int))


def _server(root: Span, chat: Span) -> str:
    parts = (
        semconv.first(root.attributes, semconv.RUN_ID),
        semconv.integer(root.attributes, semconv.QUERY_SERVER_START) or 0,
        semconv.first(chat.attributes, semconv.SERVER_ADDRESS),
        semconv.first(chat.attributes, semconv.SERVER_PORT),
        semconv.first(chat.attributes, semconv.REQUEST_MODEL),
        *((chat.resource.get(name) for name in _PROCESS) if is_server(chat) else ()),
    )
    return "/".join(str(part) for part in parts)


def _items(value: AttributeValue) -> Sequence[AttributeValue]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()
