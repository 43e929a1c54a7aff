"""A kept connection that its server closes as the next request comes: that is sent once more, and nothing else is."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx2
import pytest

from punie.trace.workload import kept_connections
from punie.trace.workload.kept_connections import SendingAgain

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
HEADERS = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


@contextmanager
def server_that_answers(*each_connection: tuple[bytes, ...]) -> Iterator[tuple[str, list[bytes]]]:
    """To a connection's requests in turn, whose first lines are kept; then it closes it as the next one comes."""
    asked: list[bytes] = []

    def serve() -> None:
        with suppress(OSError):
            for answers in each_connection:
                with listener.accept()[0] as connection:
                    for answer in (*answers, b""):
                        asked.append(_request(connection)[:4])
                        connection.sendall(answer)
                        if answer == HEADERS:
                            break

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked


def _request(connection: socket.socket) -> bytes:
    """All of it; its headers and its body may come apart."""
    text = b""
    while not text.endswith(b"{}") and (more := connection.recv(65_536)):
        text += more
    return text


def ask_twice(url: str) -> list[int]:
    async def ask() -> list[int]:
        async with SendingAgain(trust_env=False) as client:
            return [(await client.post(url, json={})).status_code for _ in range(2)]

    return asyncio.run(ask())


def test_what_met_the_closing_of_its_connection_is_sent_on_another_one() -> None:
    with server_that_answers((ANSWER,), (ANSWER,)) as (url, asked):
        assert ask_twice(url) == [200, 200]
    assert asked[:3] == [b"POST"] * 3


@pytest.mark.parametrize(
    ("connections", "requests"),
    [(((), (ANSWER,)), 1), (((ANSWER,), ()), 3), (((ANSWER, HEADERS), (ANSWER,)), 2)],
    ids=["a new connection", "twice", "an answer that began"],
)
def test_what_a_server_may_have_answered_is_not(
    connections: tuple[tuple[bytes, ...], ...], requests: int
) -> None:
    with server_that_answers(*connections) as (url, asked), pytest.raises(httpx2.TransportError):
        ask_twice(url)
    assert asked.count(b"POST") == requests


def test_a_server_that_dies_over_a_request_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_connections, "AT_ONCE_S", -1)
    with server_that_answers((ANSWER,), (ANSWER,)) as (url, _), pytest.raises(httpx2.TransportError):
        ask_twice(url)
