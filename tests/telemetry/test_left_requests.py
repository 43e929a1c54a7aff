"""A model request that is left before its answer is there is noted: its server may go on with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx2
import pytest

from punie.trace.telemetry.http.left_requests import LEFT_REQUESTS
from punie.trace.telemetry.http.transports import instrument_http, uninstrument_http
from punie.trace.telemetry.provider import Telemetry

# The fixtures' own types live in conftest.py, which test modules can't import.
Stub = Any
MakeReply = Any
Ask = Callable[[httpx2.AsyncClient, str], Any]
MODEL = "/chat/completions"
TEXT = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": null}]}\n\n'
SLOW_S = 0.6


@pytest.fixture(autouse=True)
def instrumented(telemetry: Telemetry) -> Iterator[None]:
    instrument_http(telemetry)
    yield
    uninstrument_http(telemetry)


async def cancelled(client: httpx2.AsyncClient, url: str) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(client.post(url, json={}), SLOW_S / 3)


async def out_of_time(client: httpx2.AsyncClient, url: str) -> None:
    with suppress(httpx2.ReadTimeout):
        await client.post(url, json={}, timeout=SLOW_S / 3)


async def read_in_part(client: httpx2.AsyncClient, url: str) -> None:
    async with client.stream("POST", url, json={}) as response:
        async for _ in response.aiter_raw():
            break


async def waited_for(client: httpx2.AsyncClient, url: str) -> None:
    await client.post(url, json={})


@pytest.mark.parametrize(
    ("ask", "path", "left"),
    [
        (cancelled, MODEL, 1),
        (out_of_time, MODEL, 1),
        (read_in_part, MODEL, 1),
        (waited_for, MODEL, 0),
        (cancelled, "/search", 0),
    ],
)
def test_what_was_left_is_noted(
    ask: Ask, path: str, left: int, telemetry: Telemetry, stub: Stub, make_reply: MakeReply
) -> None:
    stub.script = [
        make_reply(chunks=[TEXT] * 3, content_type="text/event-stream", pause_s=SLOW_S / 3, wait_s=SLOW_S)
    ]

    async def ask_it() -> None:
        async with httpx2.AsyncClient() as client:
            with telemetry.tracer.start_as_current_span("chat"):
                await ask(client, stub.url.rstrip("/") + path)

    with LEFT_REQUESTS.inside() as urls:
        asyncio.run(ask_it())
    assert len(urls) == left
