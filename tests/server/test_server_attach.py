"""Attaching to servers that we didn't start. A server in a thread plays those that aren't mlx_lm's."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from punie.trace.errors import ConfigError, ServerError
from punie.trace.server.attach import AttachedServer
from punie.trace.server.protocol import Server

Answers = dict[str, tuple[int, object]]
COMPLETION: Answers = {"POST /v1/chat/completions": (200, {"choices": []})}


def models(*names: str) -> Answers:
    return {"GET /v1/models": (200, {"data": [{"id": name} for name in names]})}


@contextmanager
def server_with(answers: Answers, *, program: str = "uvicorn") -> Iterator[tuple[str, list[str]]]:
    """Its URL, and what it was asked: method, path, key and model. What isn't in `answers` gets 404."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = program, ""

        def answer(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            asked.append(f"{self.command} {self.path} {self.headers['Authorization']} {body.get('model')}")
            status, value = answers.get(f"{self.command} {self.path}", (404, {"error": "not here"}))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        do_GET = do_POST = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def entered(server: Server) -> str:
    async def session() -> str:
        async with server:
            await server.check()
            return server.model_name

    return asyncio.run(session())


def test_the_only_model_is_found() -> None:
    with server_with(COMPLETION | models("qwen")) as (url, asked):
        assert entered(AttachedServer(url, api_key="k")) == "qwen"
    assert "POST /v1/chat/completions Bearer k qwen" in asked


def test_mlx_server_is_asked_for_its_default_model() -> None:
    with server_with(COMPLETION | models("one", "two"), program="BaseHTTP/0.6") as (url, _):
        assert entered(AttachedServer(url)) == "default_model"


def test_named_model_is_taken() -> None:
    with server_with(COMPLETION) as (url, asked):
        assert entered(AttachedServer(f"{url}/v1/", model="two")) == "two"
    assert asked[0] == "POST /v1/chat/completions None two"


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (COMPLETION | models("one", "two"), "lists 2 models: one, two"),
        (COMPLETION | models(), "lists 0 models: none"),
        (COMPLETION, "refused a request: 404"),
        (models("one"), "refused a request: 404"),
        (models("one") | {"POST /v1/chat/completions": (200, "no object")}, "refused a request: 200"),
    ],
)
def test_server_that_is_no_use_is_an_error(answers: Answers, message: str) -> None:
    with server_with(answers) as (url, _), pytest.raises(ServerError, match=message):
        entered(AttachedServer(url))


def test_unhealthy_server_is_an_error() -> None:
    with (
        server_with(COMPLETION | {"GET /health": (503, {})}) as (url, _),
        pytest.raises(ServerError, match="isn't healthy"),
    ):
        entered(AttachedServer(url, model="m"))


def test_nobody_listens() -> None:
    with server_with({}) as (url, _):
        pass
    with pytest.raises(ServerError, match=f"no answer from {url}/v1: ConnectError") as caught:
        entered(AttachedServer(url))
    assert "Check that the server runs" in caught.value.remedy


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://host/v1", "http://"])
def test_url_that_is_none(url: str) -> None:
    with pytest.raises(ConfigError, match="base_url: needs http://HOST:PORT/v1"):
        AttachedServer(url)


def test_path_of_a_url_is_kept() -> None:
    assert AttachedServer("https://host/openai/v2/").base_url == "https://host/openai/v2"
    assert AttachedServer("http://host:1").base_url == "http://host:1/v1"
