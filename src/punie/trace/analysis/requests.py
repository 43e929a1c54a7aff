"""Each request to a model: its tokens, its prefill, and the digests of what it was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from punie.trace import semconv
from punie.trace.analysis.phases import PhasedSpan
from punie.trace.analysis.roles import Role
from punie.trace.analysis.roots import query_key
from punie.trace.analysis.traces import Traces
from punie.trace.analysis.tree import SpanKey
from punie.trace.analysis.usage import TokenCounts, is_model_request, token_counts
from punie.trace.model import AttributeValue, Phase, Provenance, Span


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request to a model, as its spans tell it.

    `turn` counts the requests of its query, from 0, by their start. `server` names what shares one prompt cache:
    run, server start, address, model. `prefill_ns` is the last attempt's, None where no span tells prefill apart;
    `prefill_known` says how it is known. `digests` and `lengths` (characters) have an entry a message, the first
    for instructions and tools; both are empty where nobody wrote them.
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
    digests: tuple[str, ...] = ()
    lengths: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Below:
    """What hangs below a model request: the server's spans and the prefills, by their start."""

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
            _request(spans[root], query_ids[root], turn, spans[key], below.get(key, _Below()))
            for turn, key in enumerate(sorted(keys, key=lambda key: (spans[key].start_ns, key)))
        )
        for root, keys in chats.items()
    }


def _look_below(traces: Traces, phased: Iterable[PhasedSpan]) -> dict[SpanKey, _Below]:
    prefills = {(span.trace_id, span.span_id): span for span in phased if span.phase is Phase.PREFILL}
    request_of: dict[SpanKey, SpanKey] = {}
    servers: dict[SpanKey, list[Span]] = {}
    found: dict[SpanKey, list[PhasedSpan]] = {}
    for key in traces.forest.order:
        parent = traces.forest.parent[key]
        if is_model_request(traces.around, key):
            request_of[key] = key
        elif parent in request_of and traces.around.role[key] is not Role.TOOL:
            request_of[key] = request = request_of[parent]
            if traces.around.role[key] is Role.SERVER:
                servers.setdefault(request, []).append(traces.forest.spans[key])
            if key in prefills:
                found.setdefault(request, []).append(prefills[key])
    return {
        key: _Below(
            tuple(sorted(servers.get(key, ()), key=lambda span: span.start_ns)),
            tuple(sorted(found.get(key, ()), key=lambda span: span.start_ns)),
        )
        for key in servers.keys() | found.keys()
    }


def _request(root: Span, query_id: str, turn: int, chat: Span, below: _Below) -> ModelRequest:
    said, arm = root.attributes, semconv.text(root.attributes, semconv.QUERY_CACHE)
    prefill = below.prefills[-1] if below.prefills else None
    return ModelRequest(
        query_key=query_key((root.trace_id, root.span_id)),
        query_id=query_id,
        trace_id=chat.trace_id,
        span_id=chat.span_id,
        warmup=said.get(semconv.QUERY_WARMUP) is True,
        repeat=semconv.integer(said, semconv.QUERY_REPEAT) or 0,
        server_start=semconv.integer(said, semconv.QUERY_SERVER_START) or 0,
        turn=turn,
        server=_server(root, chat),
        agent=semconv.text(chat.attributes, semconv.AGENT_NAME) or "",
        start_ns=chat.start_ns,
        end_ns=chat.end_ns,
        tokens=token_counts(chat, below.servers, cache_arm=arm),
        prefill_ns=max(0, prefill.end_ns - prefill.start_ns) if prefill else None,
        prefill_known=prefill.provenance if prefill else None,
        digests=tuple(str(item) for item in _items(chat.attributes.get(semconv.MESSAGE_DIGESTS))),
        lengths=tuple(
            item for item in _items(chat.attributes.get(semconv.MESSAGE_LENGTHS)) if isinstance(item, int)
        ),
    )


def _server(root: Span, chat: Span) -> str:
    parts = (
        semconv.first(root.attributes, semconv.RUN_ID),
        semconv.integer(root.attributes, semconv.QUERY_SERVER_START) or 0,
        semconv.first(chat.attributes, semconv.SERVER_ADDRESS),
        semconv.first(chat.attributes, semconv.SERVER_PORT),
        semconv.first(chat.attributes, semconv.REQUEST_MODEL),
    )
    return "/".join(str(part) for part in parts)


def _items(value: AttributeValue) -> Sequence[AttributeValue]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()
