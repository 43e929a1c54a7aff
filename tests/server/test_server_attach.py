"""Attaching to servers that we didn't start. A server in a thread plays those that aren't mlx_lm's."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from loopback import serving_http

from punie.trace.errors import ServerError
from punie.trace.server.address import ServerAddress
from punie.trace.server.attached_server import AttachedServer
from punie.trace.server.probe import UnexpectedAnswer, list_models
from punie.trace.workload.agent import server_model

Answers = dict[str, tuple[int, Any]]
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
            if callable(value):
                status, value = value()
            self.send_response(status)
            if status in (307, 308):
                self.send_header("Location", str(value))
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        do_GET = do_POST = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    with serving_http(Handler) as url:
        yield url, asked


def entered(server: AttachedServer) -> str:
    async def session() -> str:
        async with server:
            await server.check()
            return server.model_name

    return asyncio.run(session())


def test_the_only_model_is_found() -> None:
    with server_with(COMPLETION | models("qwen")) as (url, asked):
        assert entered(AttachedServer(ServerAddress.of(url, api_key="k"))) == "qwen"
    assert "POST /v1/chat/completions Bearer k qwen" in asked


def test_mlx_server_is_asked_for_its_default_model() -> None:
    answers = COMPLETION | models("one", "two") | {"GET /health": (200, {"status": "ok"})}
    with server_with(answers, program="BaseHTTP/0.6") as (url, _):
        assert entered(AttachedServer(ServerAddress.of(url))) == "default_model"


def test_named_model_is_taken() -> None:
    with server_with(COMPLETION) as (url, asked):
        assert entered(AttachedServer(ServerAddress.of(f"{url}/v1/"), model="two")) == "two"
    assert asked[1] == "POST /v1/chat/completions None two"


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (COMPLETION | models("one", "two"), "lists 2 models: one, two"),
        (COMPLETION | models(), "lists 0 models: none"),
        (COMPLETION, "refused a request: 404"),
        (models("one"), "refused a request: 404"),
        (
            models("one") | {"POST /v1/chat/completions": (200, "no object")},
            "answered with what is no completion: 200",
        ),
    ],
)
def test_server_that_is_no_use_is_an_error(answers: Answers, message: str) -> None:
    with server_with(answers) as (url, _), pytest.raises(ServerError, match=message):
        entered(AttachedServer(ServerAddress.of(url)))


def test_unhealthy_server_is_an_error() -> None:
    with (
        server_with(COMPLETION | {"GET /health": (503, {})}) as (url, _),
        pytest.raises(ServerError, match="isn't healthy"),
    ):
        entered(AttachedServer(ServerAddress.of(url), model="m"))


def test_nobody_listens() -> None:
    with server_with({}) as (url, _):
        pass
    with pytest.raises(ServerError, match=f"no answer from {url}/v1: ConnectError") as caught:
        entered(AttachedServer(ServerAddress.of(url)))
    assert "Check that the server runs" in caught.value.remedy


@pytest.mark.parametrize("answer", [None, (407, {})], ids=["nobody listens", "wants a password"])
def test_a_proxy_in_the_way_is_named(answer: tuple[int, Any] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    model = "http://model.invalid"
    with server_with({f"GET {model}/v1/models": answer} if answer else {}) as (proxy, _):
        monkeypatch.setenv("http_proxy", proxy if answer else "http://127.0.0.1:9")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with pytest.raises(ServerError) as caught:
            entered(AttachedServer(ServerAddress.of(model)))
    assert caught.value.remedy.startswith("The environment names a proxy for it (HTTP_PROXY")


def test_a_server_that_still_loads_is_waited_for_and_said() -> None:
    calls = iter([(503, {"error": "Loading model"})] * 2)
    answers = COMPLETION | {"GET /v1/models": (0, lambda: next(calls, (200, {"data": [{"id": "m"}]})))}
    said: list[str] = []
    with server_with(answers) as (url, _):
        assert entered(AttachedServer(ServerAddress.of(url), log=said.append)) == "m"
    (line,) = said
    assert "not ready yet (503" in line
    assert "Loading model" in line


def test_a_server_that_goes_on_loading_is_an_error_in_time() -> None:
    answers: Answers = {"GET /v1/models": (503, {"error": "Loading model"})}
    with server_with(answers) as (url, _), pytest.raises(ServerError, match=r"wasn't ready after 0\.2 s"):
        entered(AttachedServer(ServerAddress.of(url), ready_timeout_s=0.2))


def test_a_redirect_is_followed_once_for_all_requests() -> None:
    said: list[str] = []
    with server_with(COMPLETION | models("m")) as (behind, asked):
        with server_with({"GET /old/models": (308, f"{behind}/v1/models")}) as (url, before):
            server = AttachedServer(ServerAddress.of(f"{url}/old"), log=said.append)
            assert entered(server) == "m"
        assert server.base_url == f"{behind}/v1"
        assert [line.split()[1] for line in before] == ["/old/models"]
        assert "POST /v1/chat/completions None m" in asked
    assert said == [f"{url}/old redirects to {behind}/v1: asked there"]


def test_a_slash_that_a_server_adds_is_no_other_address() -> None:
    answers = COMPLETION | {"GET /v1/models/": (200, {"data": [{"id": "m"}]})}
    answers["GET /v1/models"] = (307, "/v1/models/")
    with server_with(answers) as (url, _):
        server = AttachedServer(ServerAddress.of(url))
        assert entered(server) == "m"
        assert server.base_url == f"{url}/v1"


def test_a_refused_key_is_hidden_and_the_way_to_give_one_named() -> None:
    answers: Answers = {"GET /v1/models": (401, {"error": "no such key: sekret"})}
    with server_with(answers) as (url, _), pytest.raises(ServerError) as caught:
        entered(AttachedServer(ServerAddress.of(url, api_key="sekret")))
    assert "no such key: …" in caught.value.message
    assert "check its variable (--api-key-env)" in caught.value.remedy
    with server_with(answers) as (url, _), pytest.raises(ServerError) as caught:
        entered(AttachedServer(ServerAddress.of(url)))
    assert "Give the key in OPENAI_API_KEY" in caught.value.remedy


@pytest.mark.parametrize(
    ("status", "headers", "is_loading"),
    [(503, {}, True), (429, {"Retry-After": "2"}, True), (429, {}, False), (404, {}, False)],
)
def test_who_says_when_to_come_again_is_asked_again(
    status: int, headers: dict[str, str], *, is_loading: bool
) -> None:
    assert UnexpectedAnswer(httpx.Response(status, headers=headers)).is_loading == is_loading


@pytest.mark.parametrize(
    "listed", [[{"id": "qwen"}], {"data": [{"id": "qwen"}, {"id": "qwen"}]}], ids=["a bare list", "twice"]
)
def test_the_only_model_is_found_in_other_forms(listed: object) -> None:
    with server_with(COMPLETION | {"GET /v1/models": (200, listed)}) as (url, _):
        assert entered(AttachedServer(ServerAddress.of(url))) == "qwen"


def _refusing(*sentences: str) -> Callable[[], tuple[int, Any]]:
    answers = iter([*((400, {"error": each}) for each in sentences), (200, {"choices": []})])
    return lambda: next(answers)


@pytest.mark.parametrize(
    ("refusals", "limit"),
    [
        ((), "max_tokens"),
        (("max_tokens must be at least 16",), "max_tokens"),
        (("max_tokens must be at least 16", "use max_completion_tokens"), "max_completion_tokens"),
    ],
)
def test_the_limit_of_tokens_is_sent_under_the_name_that_the_server_takes(
    refusals: tuple[str, ...], limit: str
) -> None:
    completions: Answers = {"POST /v1/chat/completions": (0, _refusing(*refusals))}
    with server_with(completions | models("gpt")) as (url, _):
        server = AttachedServer(ServerAddress.of(url))
        entered(server)
        assert server.address.token_limit == limit
        model = server_model(server.address, "gpt", {"max_tokens": 7}, timeout_s=9)
        newer = dict(model.profile)["openai_chat_supports_max_completion_tokens"]
        assert newer is (limit != "max_tokens")


def test_a_server_that_refuses_every_limit_is_an_error() -> None:
    completions: Answers = {"POST /v1/chat/completions": (0, _refusing(*["too few tokens"] * 3))}
    with server_with(completions | models("gpt")) as (url, _), pytest.raises(ServerError, match="too few"):
        entered(AttachedServer(ServerAddress.of(url)))


def test_http_behind_https_is_named() -> None:
    with server_with(COMPLETION) as (url, _), pytest.raises(ServerError) as caught:
        entered(AttachedServer(ServerAddress.of(url.replace("http:", "https:"))))
    assert caught.value.remedy == "The server doesn't speak TLS: write http:// in --base-url."


def test_a_wrong_name_is_refused_with_the_names_that_there_are() -> None:
    with server_with(models("one", "two")) as (url, _), pytest.raises(ServerError) as caught:
        entered(AttachedServer(ServerAddress.of(url), model="three"))
    assert "one, two" in caught.value.remedy


def test_an_alert_of_tls_is_an_answer_that_could_not_be_read() -> None:
    def alert(_: httpx.Request) -> httpx.Response:
        raise ssl.SSLError(
            1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED]"
        )  # after the handshake, as TLS 1.3 has it

    async def list_them() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(alert), base_url="https://x/v1") as client:
            await list_models(client)

    with pytest.raises(httpx.ReadError, match="CERTIFICATE_REQUIRED"):
        asyncio.run(list_them())


def test_a_server_that_wants_a_certificate_of_its_client_is_named(tmp_path: Path) -> None:
    openssl = shutil.which("openssl") or pytest.skip("no openssl, which makes the certificate")
    made = ["-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1", "-newkey", "rsa:2048", "-nodes"]
    subprocess.run([openssl, "req", "-x509", *made], cwd=tmp_path, check=True, capture_output=True)
    wanting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    wanting.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    wanting.load_verify_locations(tmp_path / "cert.pem")
    wanting.verify_mode = ssl.CERT_REQUIRED

    def serve() -> None:
        connection, _ = listener.accept()
        with suppress(OSError), wanting.wrap_socket(connection, server_side=True):
            pytest.fail("it had a certificate")

    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.MonkeyPatch.context() as patch:
        threading.Thread(target=serve, daemon=True).start()
        patch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        with pytest.raises(ServerError) as caught:
            entered(AttachedServer(ServerAddress.of(f"https://127.0.0.1:{listener.getsockname()[1]}/v1")))
    assert "it may want a client's certificate" in caught.value.remedy
