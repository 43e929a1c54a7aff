"""Servers and receivers that never end, lie, or write to the terminal: within time and memory, and told in one line."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from fuzzing.oracle import CONTROLS
from hostile_server import BEHAVIOURS, Behaviour, absurd_usage, hostile_server, nonsense, redirect_to
from pydantic_ai import Agent

from punie.trace.__main__ import main
from punie.trace.errors import ExitCode, PunieTraceError
from punie.trace.server.address import ServerAddress
from punie.trace.server.attached_server import AttachedServer
from punie.trace.telemetry.shipping.answers import Outcome
from punie.trace.telemetry.shipping.http_sender import HttpSender
from punie.trace.telemetry.shipping.targets import flag_target
from punie.trace.workload.agent import server_model
from punie.trace.workload.agent_runner import AgentRunner
from punie.trace.workload.subject import Subject

LIMIT_S = 4.0
_QUICKLY_S = 1.0  # what never ends needs no longer to be given up
each = pytest.mark.parametrize("behaviour", BEHAVIOURS.values(), ids=BEHAVIOURS)


def limit_s(behaviour: Behaviour) -> float:
    """How long to wait for it."""
    return LIMIT_S if behaviour is absurd_usage else _QUICKLY_S


@contextmanager
def bounded() -> Iterator[None]:
    """What happens inside ends, and holds no more than a part of what it was sent."""
    before, most, over = psutil.Process().memory_info().rss, 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.02):
            most = max(most, psutil.Process().memory_info().rss)

    watcher, began_s = threading.Thread(target=watch), time.monotonic()
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    assert time.monotonic() - began_s < 15 * LIMIT_S
    assert most - before < 350 << 20


@each
def test_a_receiver_gets_no_more_than_its_time(behaviour: Behaviour) -> None:
    with hostile_server(behaviour) as place, bounded():
        sender = HttpSender(flag_target(f"http://{place}"), limit_s(behaviour))
        answer = sender.send([])
        sender.close()
    assert answer.outcome is not Outcome.ACCEPTED or behaviour is absurd_usage
    assert "\n" not in answer.problem


def test_a_receiver_s_redirect_is_not_followed() -> None:
    """Spans go where the user said, nowhere else."""
    with hostile_server(nonsense) as other, hostile_server(redirect_to(other)) as place:
        sender = HttpSender(flag_target(f"http://{place}"), LIMIT_S)
        answer = sender.send([])
        sender.close()
    assert answer.outcome is Outcome.REQUEST_REFUSED
    assert f"redirected to http://{other}" in answer.problem


@each
def test_a_model_server_that_is_attached_to_gets_no_more_than_its_time(behaviour: Behaviour) -> None:
    async def attach(place: str) -> None:
        async with AttachedServer(
            ServerAddress.of(f"http://{place}/v1"), ready_timeout_s=limit_s(behaviour)
        ) as server:
            await server.check()

    with hostile_server(behaviour) as place, bounded(), pytest.raises(PunieTraceError) as refused:
        asyncio.run(attach(place))
    assert refused.value.message


@each
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_query_fails_and_the_run_goes_on(behaviour: Behaviour, stream: bool) -> None:
    with hostile_server(behaviour) as place, bounded():
        model = server_model(ServerAddress.of(f"http://{place}/v1"), "m", {}, timeout_s=limit_s(behaviour))
        agent = Agent[None, str](defer_model_check=True, retries=0)
        reply = asyncio.run(
            AgentRunner(Subject(agent), model, stream, limit_s(behaviour), clock=time.time_ns).answer("?")
        )
    assert reply.error or behaviour is absurd_usage


@each
def test_jaeger_is_read_within_bounds(
    behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("punie.trace.store.jaeger.api._WHOLE_S", _QUICKLY_S)
    monkeypatch.setattr("punie.trace.store.jaeger.api._MOST_BYTES", 64 << 20)
    with hostile_server(behaviour) as place, bounded():
        assert main(["report", f"jaeger://{place}?service=x"]) == ExitCode.INPUT
    said = capsys.readouterr()
    assert not CONTROLS.search(said.out + said.err)
