"""Spans of small traces, made by hand: times are in milliseconds, and a span's id is its name."""

from __future__ import annotations

from typing import Any, Final

from punie.trace.analysis.pipeline import QueryRecords, read_queries
from punie.trace.analysis.records import QueryRecord
from punie.trace.model import Attributes, Span, SpanKind, SpanSet, StatusCode

T: Final = "a" * 32
MS: Final = 1_000_000
START_NS: Final = 1_760_000_000_000 * MS


def span(
    name: str,
    parent: str | None,
    start: float,
    end: float,
    said: Attributes | None = None,
    *,
    trace: str = T,
    kind: SpanKind = SpanKind.INTERNAL,
    status: StatusCode = StatusCode.UNSET,
    **more: Any,  # noqa: ANN401 - fields of a span have many types
) -> Span:
    """A span from `start` to `end`."""
    start_ns, end_ns = (START_NS + round(at * MS) for at in (start, end))
    return Span(trace, name, parent, name, start_ns, end_ns, kind, said or {}, status, **more)


def agent(name: str, parent: str | None, start: float, end: float, **more: Any) -> Span:  # noqa: ANN401 - fields of a span have many types
    """An agent's run."""
    return span(name, parent, start, end, {"gen_ai.operation.name": "invoke_agent"}, **more)


def chat(
    name: str,
    parent: str | None,
    start: float,
    end: float,
    said: Attributes | None = None,
    **more: Any,  # noqa: ANN401 - fields of a span have many types
) -> Span:
    """A model call with 10 tokens in and 1 out."""
    counts = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 1} if said is None else said
    return span(name, parent, start, end, {"gen_ai.operation.name": "chat", **counts}, **more)


def tool(
    name: str,
    parent: str | None,
    start: float,
    end: float,
    said: Attributes | None = None,
    **more: Any,  # noqa: ANN401 - fields of a span have many types
) -> Span:
    """A tool's call."""
    return span(name, parent, start, end, {"gen_ai.operation.name": "execute_tool", **(said or {})}, **more)


def post(name: str, parent: str | None, start: float, end: float, url: str = "", **more: Any) -> Span:  # noqa: ANN401 - fields of a span have many types
    """A client's POST."""
    said: dict[str, Any] = {"http.request.method": "POST", **({"url.full": url} if url else {})}
    said.update(more.pop("said", {}))
    return span(name, parent, start, end, said, kind=SpanKind.CLIENT, **more)


def server(
    name: str,
    parent: str | None,
    start: float,
    end: float,
    said: Attributes | None = None,
    **more: Any,  # noqa: ANN401 - fields of a span have many types
) -> Span:
    """A server's span."""
    return span(name, parent, start, end, said, kind=SpanKind.SERVER, **more)


def read(*spans: Span) -> QueryRecords:
    """What is read off `spans`."""
    return read_queries(SpanSet(spans))


def only(*spans: Span) -> QueryRecord:
    """The only query of `spans`."""
    (record,) = read(*spans).records
    return record


def walls_ms(*spans: Span) -> list[float]:
    """The wall times of the queries of `spans`, by their start."""
    return [record.wall_ns / MS for record in read(*spans).records]


def phases_ms(record: QueryRecord) -> dict[str, float]:
    """The phases of a query that have any time."""
    return {phase.value: ns / MS for phase, ns in record.ledger.phases_ns.items() if ns}


def findings(*spans: Span) -> dict[str, int]:
    """What is wrong with `spans`, and how often."""
    return {finding.slug: finding.count for finding in read(*spans).findings}
