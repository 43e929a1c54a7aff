"""Asks the planned queries, one after the other, each under a span of its own; nothing here measures time.

What a reader needs to judge a query goes onto its span: a trace read back from elsewhere says the same as
the journal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from punie.trace import semconv
from punie.trace.errors import WorkloadError
from punie.trace.telemetry.query import QueryLabels, QuerySpan, query_span
from punie.trace.workload.left_running import Aftermath
from punie.trace.workload.scoring.score import score
from punie.trace.workload.turns import NoTurns, Turns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from punie.trace.analysis.records import PlannedQuery
    from punie.trace.telemetry.provider import Telemetry
    from punie.trace.workload.agent_runner import AgentRunner, Reply
    from punie.trace.workload.around import MonitoredServer, ProgressListener
    from punie.trace.workload.suite import Suite, SuiteQuery

# One question for a tool and one for an answer, so that both paths are warm. No suite may hold them.
WARMUP_TEXTS: Final = ("Where is the class Settings defined?", "What is a virtual environment?")
NOTHING: Final[Mapping[str, str | int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Session:
    """What stays the same over a whole run."""

    suite: Suite
    telemetry: Telemetry
    run_id: str
    cache: str
    recommended_memory_bytes: int | None
    progress: ProgressListener
    turns: Turns = field(default_factory=NoTurns)
    aftermath: Aftermath = field(default_factory=Aftermath)

    def check(self) -> None:
        """Raises `WorkloadError` if the suite asks what the warm-up asks: it would be measured warm."""
        for query in self.suite.queries:
            if query.text.strip().casefold() in {text.casefold() for text in WARMUP_TEXTS}:
                raise WorkloadError(
                    f"suite {self.suite.name}, query {query.id}: its text is used for the warm-up",
                    remedy="Ask it in other words.",
                )


async def run_server_start(
    session: Session,
    runner: AgentRunner,
    server: MonitoredServer,
    planned: Iterable[PlannedQuery],
    start: int,
) -> None:
    """Warm up, then ask every query planned for this server start: in turns, the warm-up and what follows in its own.

    Raises `ServerError` as soon as the server is known to be dead; what was asked before is in the journal.
    """
    queries = {query.id: query for query in session.suite.queries}
    session.progress.warming_up(start)
    for position, text in enumerate(WARMUP_TEXTS):
        await warm_up(session, runner, server, Warmup(text, start, position))
    for plan in planned:
        if plan.server_start == start:
            session.turns.pass_on()
            await session.turns.take(for_query=True)
            session.progress.query_begins(plan)
            await run_query(session, runner, server, queries[plan.query_id], plan)
    session.turns.pass_on()
    await session.turns.take()


@dataclass(frozen=True, slots=True)
class Warmup:
    """One question that is asked before a server start is measured."""

    text: str
    server_start: int
    position: int


async def warm_up(
    session: Session,
    runner: AgentRunner,
    server: MonitoredServer,
    warmup: Warmup,
    more: Mapping[str, str | int] = NOTHING,
) -> None:
    """Ask it; `more` are further attributes of its span. Raises `ServerError` if the server is dead."""
    labels = QueryLabels(
        query_id=f"warm-up-{warmup.position}",
        text=warmup.text,
        run_id=session.run_id,
        server_start=warmup.server_start,
        position=warmup.position,
        cache=session.cache,
        warmup=True,
        more=more,
    )
    with query_span(session.telemetry, labels) as span:
        reply = await runner.answer(warmup.text)
        _answered(span, reply)
    await _afterwards(session, server, reply)


async def run_query(
    session: Session,
    runner: AgentRunner,
    server: MonitoredServer,
    query: SuiteQuery,
    plan: PlannedQuery,
    more: Mapping[str, str | int] = NOTHING,
) -> None:
    """Ask `query` as planned and score it; `more` are further attributes of its span.

    Raises `ServerError` if the server is dead.
    """
    labels = QueryLabels(
        query_id=query.id,
        text=query.text,
        run_id=session.run_id,
        suite=session.suite.name,
        suite_hash=session.suite.sha256,
        expected=query.expected,
        repeat=plan.repeat,
        server_start=plan.server_start,
        position=plan.position,
        cache=session.cache,
        more={**more, **session.aftermath.attributes()},
    )
    with query_span(session.telemetry, labels) as span:
        reply = await runner.answer(query.text)
        _answered(span, reply)
        result = score(query, reply.answer)
        if result.ok is not None or reply.error:
            ok = bool(result.ok) and reply.error is None
            span.scored(ok=ok, failures=result.failures, details=result.details)
        _remember_memory(span, server, session.recommended_memory_bytes)
    session.progress.answered(plan, result, reply.error)
    await _afterwards(session, server, reply)


async def _afterwards(session: Session, server: MonitoredServer, reply: Reply) -> None:
    """Raises `ServerError` if the server is dead; else waits, within bounds, until it has given up what we have."""
    if reply.error:
        await server.check()
    await session.aftermath.follow(reply, server.pid)


def _answered(span: QuerySpan, reply: Reply) -> None:
    span.answered(reply.answered_ns, reply.answer.text)
    if reply.error:
        span.failed(reply.error)


def _remember_memory(span: QuerySpan, server: MonitoredServer, recommended_bytes: int | None) -> None:
    peak_bytes = server.peak_memory_bytes()
    if peak_bytes is not None:
        span.span.set_attribute(semconv.SERVER_PEAK_FOOTPRINT, peak_bytes)
    if recommended_bytes is not None:
        span.span.set_attribute(semconv.MACHINE_RECOMMENDED_MEMORY, recommended_bytes)
