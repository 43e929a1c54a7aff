"""Reports of runs with their spans, for formats that draw queries: of nothing, one query, many, failed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from sample_reports import HOSTILE
from small_traces import agent, chat, post, server, span, tool

from punie.trace import semconv
from punie.trace.model import Attributes, Span, SpanSet, StatusCode
from punie.trace.report.builders.query import build_query
from punie.trace.report.builders.run import build_run
from punie.trace.report.document import Document
from punie.trace.usecases.load import LoadedSource
from punie.trace.usecases.query_report import report_query
from punie.trace.usecases.run_report import VerdictTargets, build_report

AGENT: Final[Attributes] = {"service.name": "agent", "process.pid": 7, "host.name": "here"}
SERVER: Final[Attributes] = {"service.name": "mlx_lm", "process.pid": 8, "host.name": "here"}


def query(number: int, begin_ms: float = 0, *, name: str = "", **said: Any) -> Iterator[Span]:  # noqa: ANN401 - attributes
    """A query of one call, seen by client and server, and two tools that overlap; 100 ms."""
    trace, named = f"{number + 1:032x}", name or f"query-{number}"

    def at(kind: Callable[..., Span], called: str, parent: str | None, start: float, end: float, *rest: Any, **more: Any) -> Span:  # noqa: ANN401, E501 # fmt: skip
        where = {"resource": AGENT, "trace": trace} | more
        return kind(called, parent, begin_ms + start, begin_ms + end, *rest, **where)

    def phase(called: str, parent: str, start: float, end: float, **tokens: Any) -> Span:  # noqa: ANN401
        told = {semconv.PHASE: called, semconv.PHASE_PROVENANCE: "server"} | tokens
        return at(span, called, parent, start, end, told, resource=SERVER)

    counts = {"gen_ai.usage.input_tokens": 40, "gen_ai.usage.cache_read.input_tokens": 10}
    out = {"gen_ai.usage.output_tokens": 25}
    root = {semconv.QUERY_ID: named, semconv.QUERY_TEXT: f"What is {named}?", semconv.QUERY_OK: True} | said
    yield at(span, f"query {name}".strip(), None, 0, 100, root)
    yield at(agent, "run", f"query {name}".strip(), 5, 95)
    yield at(chat, "chat", "run", 10, 60, counts | out)
    yield at(post, "POST", "chat", 12, 58)
    memory = {semconv.SERVER_FOOTPRINT: 150_000_000}
    yield at(server, "request", "POST", 14, 56, memory, resource=SERVER)
    yield phase("prefill", "request", 15, 30, **counts)
    yield phase("decode", "request", 30, 55, **out)
    yield at(tool, "find", "run", 61, 80, {semconv.TOOL_NAME: "find", semconv.TOOL_RESULT: f"a.py\n{name}"})
    failed = StatusCode.ERROR if said else StatusCode.UNSET
    yield at(tool, f"grep {name}".strip(), "run", 62, 90, {semconv.TOOL_NAME: "grep"}, status=failed)


def document(spans: Iterable[Span]) -> Document:
    """The report of a run with these spans."""
    loaded = LoadedSource("runs/2026-11-23T14-05-09-demo", SpanSet(tuple(spans)), None, None)
    return build_run(build_report(loaded, VerdictTargets()))


def failed() -> Iterator[Span]:
    """One that was wrong, one that broke, each with words that nothing should obey."""
    wrong: dict[str, Any] = {
        semconv.QUERY_FAILURES: ("ungrounded",),
        semconv.QUERY_FAILURE_DETAILS: (f"no {HOSTILE}",),
    }
    yield from query(0, name=f"wrong;{HOSTILE}", **{semconv.QUERY_OK: False}, **wrong)
    broke = {semconv.QUERY_ERROR: f"TimeoutError: {HOSTILE}\x00\ufffe\u2028\u202e"}
    yield from query(1, 200, name="broke\ud800;", **{semconv.QUERY_OK: False}, **broke)


DRAWN: Final[Mapping[str, Callable[[], Document]]] = {
    "empty": lambda: document(()),
    "one": lambda: document(query(0)),
    "many": lambda: document(one for number in range(5) for one in query(number, 60 * number)),
    "failed": lambda: document(failed()),
}


def one_query(spans: Iterable[Span], name: str | None = None, *, full: bool = False) -> Document:
    """What `show` says of a query: the slowest, unless one is named."""
    loaded = LoadedSource("runs/2026-11-23T14-05-09-demo", SpanSet(tuple(spans)), None, None)
    return build_query(report_query(loaded, name, full=full))


PAGES: Final[Mapping[str, Callable[[], Document]]] = {
    **{f"drawn {name}": made for name, made in DRAWN.items()},
    "drawn with content": lambda: document(failed()).with_content(),
    "query one": lambda: one_query(query(0)),
    "query failed": lambda: one_query(failed()),
}
"""Pages that draw queries, of a run and of one query alone."""
