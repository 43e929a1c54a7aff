"""What the runner writes onto a query's span, and what it asks of the server around it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from punie.trace import semconv
from punie.trace.analysis.records import PlannedQuery
from punie.trace.errors import ServerError, WorkloadError
from punie.trace.model import Attributes
from punie.trace.store.sources import read_source
from punie.trace.telemetry.provider import configure
from punie.trace.workload.agent_runner import AgentRunner
from punie.trace.workload.plan import plan_queries
from punie.trace.workload.runner import WARMUP_TEXTS, Session, run_server_start
from punie.trace.workload.scoring.score import Score
from punie.trace.workload.subject import Subject
from punie.trace.workload.suite import ExpectAny, ExpectDirect, Suite, SuiteQuery

SUITE = Suite(
    "s",
    1,
    (
        SuiteQuery("right", "What is WSGI?", ExpectDirect((("interface",),))),
        SuiteQuery("wrong", "What is ASGI?", ExpectDirect((("nothing like it",),))),
        SuiteQuery("any", "And?", ExpectAny()),
    ),
)

LIMIT_S = 3.0  # for a query: enough on a busy machine for those that answer at once


@dataclass
class Server:
    """A server of which nothing is known but whether it lives."""

    pid: int | None = None
    dead: bool = False
    checks: int = 0

    async def check(self) -> None:
        self.checks += 1
        if self.dead:
            raise ServerError("it died")

    def peak_memory_bytes(self) -> int | None:
        return 17


@dataclass
class Listener:
    """Remembers what it heard."""

    heard: list[str] = field(default_factory=list)

    def warming_up(self, server_start: int) -> None:
        self.heard.append(f"warm-up {server_start}")

    def query_begins(self, planned: PlannedQuery) -> None:
        self.heard.append(f"? {planned.query_id}")

    def answered(self, planned: PlannedQuery, result: Score, error: str | None) -> None:
        self.heard.append(f"{planned.query_id}: {result.ok} {error}")


async def interface(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    """An answer to every question but "What is ASGI?", which takes for ever."""
    if "ASGI" in str(messages[0]):
        await asyncio.Event().wait()
    return ModelResponse([TextPart("An interface.")], finish_reason="stop")


def run(folder: Path, server: Server, listener: Listener, suite: Suite = SUITE) -> Mapping[str, Attributes]:
    """The attributes of each query's span, after one server start."""
    telemetry = configure(folder)
    session = Session(suite, telemetry, "run-1", "off", 99, listener)
    agent: Agent[None, str] = Agent(defer_model_check=True)
    runner = AgentRunner(Subject(agent), FunctionModel(interface), False, LIMIT_S, telemetry.clock)
    planned = plan_queries(suite, repeats=1, server_starts=2, seed=3)
    try:
        session.check()
        asyncio.run(run_server_start(session, runner, server, planned, 1))
    finally:
        telemetry.shutdown()
    spans = read_source(str(folder)).spans
    return {
        str(span.attributes[semconv.QUERY_ID]): span.attributes for span in spans if span.parent_id is None
    }


def test_a_server_start_is_warmed_up_and_asked_and_each_query_says_what_it_came_to(tmp_path: Path) -> None:
    server, listener = Server(), Listener()
    found = run(tmp_path, server, listener)
    assert sorted(found) == ["any", "right", "warm-up-0", "warm-up-1", "wrong"]
    assert found["right"][semconv.QUERY_OK] is True
    assert semconv.QUERY_ERROR not in found["right"]
    assert found["wrong"][semconv.QUERY_OK] is False
    assert found["wrong"][semconv.QUERY_ERROR] == f"TimeoutError: no answer within {LIMIT_S:.0f} s"
    assert semconv.QUERY_OK not in found["any"]
    assert [found[name][semconv.QUERY_EXPECTED] for name in ("right", "any")] == ["direct", "any"]
    assert {attributes.get(semconv.SERVER_PEAK_FOOTPRINT) for name, attributes in found.items()} == {17, None}
    assert listener.heard[0] == "warm-up 1"
    assert f"wrong: False TimeoutError: no answer within {LIMIT_S:.0f} s" in listener.heard
    assert server.checks == 1


def test_the_query_after_one_that_was_given_up_says_so(tmp_path: Path) -> None:
    listener = Listener()
    found = run(tmp_path, Server(), listener)
    asked = [line[2:] for line in listener.heard if line.startswith("? ")]
    disturbed = {name for name, attributes in found.items() if semconv.QUERY_DISTURBED in attributes}
    assert asked.index("wrong") < len(asked) - 1, "another seed, please"
    assert disturbed == {asked[asked.index("wrong") + 1]}


def test_a_dead_server_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="it died"):
        run(tmp_path, Server(dead=True), Listener())


def test_a_suite_may_not_ask_what_warms_up(tmp_path: Path) -> None:
    suite = Suite("s", 1, (SuiteQuery("q", f" {WARMUP_TEXTS[0].upper()}", ExpectAny()),))
    with pytest.raises(WorkloadError, match="suite s, query q: its text is used for the warm-up"):
        run(tmp_path, Server(), Listener(), suite)
