"""Questions to an OpenAI-compatible server: are you ready, are you well, what do you serve?"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx

from punie.trace.bounded_get import PLAIN, refuse_bombs
from punie.trace.errors import ServerError
from punie.trace.server.address import MAX_COMPLETION_TOKENS, MAX_TOKENS, ServerAddress
from punie.trace.server.config import DEFAULT_MODEL
from punie.trace.urls import without_passwords

T = TypeVar("T")
RETRY_S: Final = 0.05
# Trace context that asks not to be recorded (W3C: flags 00): nobody wants to see the probe among the requests.
_NOT_RECORDED: Final = {"traceparent": f"00-{1:032x}-{1:016x}-00"}
_EXCERPT: Final = 400
_NAMED: Final = 8
_LARGEST_ANSWER: Final = 1 << 20  # bytes
_NOT_SO: Final = (httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY)
_LIMITS: Final = ((MAX_TOKENS, 1), (MAX_TOKENS, 16), (MAX_COMPLETION_TOKENS, 16))
_NOT_YET: Final = (httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT)
# mlx_lm.server answers through the standard library's http.server.
_MLX_SERVER_HEADER: Final = "BaseHTTP/"
_MLX_HEALTH: Final = {"status": "ok"}


class UnexpectedAnswer(Exception):  # noqa: N818 - an answer, which the caller turns into an error
    """The server answered with something else than what was asked for."""

    def __init__(self, answer: httpx.Response) -> None:
        text = without_passwords(answer.text)[:_EXCERPT]  # a secret that is cut would not be known again
        super().__init__(f"{answer.status_code} {' '.join(text.split())}".rstrip())
        self.status = answer.status_code
        self._text = answer.text
        self.retry_after = answer.headers.get("retry-after", "")

    @property
    def is_about_the_limit(self) -> bool:
        """Whether it refuses how, or how strictly, the length of the answer was limited."""
        return self.status in _NOT_SO and "tokens" in self._text

    @property
    def is_loading(self) -> bool:
        """Whether it may be ready later: so answer llama.cpp while it loads and proxies before servers that do.

        So does one that has too much to do, if it says when to come again: without that, a quota may be used up.
        """
        is_busy = self.status == httpx.codes.TOO_MANY_REQUESTS and bool(self.retry_after)
        return is_busy or self.status in _NOT_YET


def open_client(address: ServerAddress, *, timeout_s: float | None) -> httpx.AsyncClient:
    """A client for `address`. Raises `ServerError` if the environment names a proxy that can't be used."""
    try:
        return httpx.AsyncClient(
            base_url=address.base_url,
            timeout=timeout_s,
            headers={**address.headers, **PLAIN},
            **address.client_arguments(),
        )
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise ServerError(
            f"the proxy that the environment names can't be used: {proxy_problem(error)}",
            remedy="unset HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, or name the server's host in NO_PROXY",
        ) from error


def proxy_problem(error: Exception) -> str:
    """What is wrong with a proxy, without its URL, which may have a password."""
    return "SOCKS needs the package socksio" if isinstance(error, ImportError) else "it is no URL of a proxy"


async def complete_few_tokens(client: httpx.AsyncClient, model: str) -> str:
    """Ask for a completion of one token, or of few where that is refused. Returns the field that limited them.

    Raises `UnexpectedAnswer` or an `httpx.TransportError`.
    """
    for name, most in _LIMITS[:-1]:
        try:
            await _complete(client, model, name, most)
        except UnexpectedAnswer as answer:
            if not answer.is_about_the_limit:
                raise
        else:
            return name
    name, most = _LIMITS[-1]
    await _complete(client, model, name, most)
    return name


async def complete_one_token(client: httpx.AsyncClient, model: str) -> None:
    """Ask for a completion of one token. Raises `UnexpectedAnswer` or an `httpx.TransportError`."""
    await _complete(client, model, MAX_TOKENS, 1)


async def _complete(client: httpx.AsyncClient, model: str, limit: str, most: int) -> None:
    body = {"model": model, limit: most, "messages": [{"role": "user", "content": "ping"}]}
    answer = await _request(client, "POST", "/chat/completions", json=body, headers=_NOT_RECORDED)
    if answer.status_code != httpx.codes.OK or "choices" not in _object(answer):
        raise UnexpectedAnswer(answer)


async def until_one_token(client: httpx.AsyncClient, model: str) -> None:
    """As `complete_one_token`, trying again while nobody listens. Has no end of its own."""
    await until_answered(lambda: complete_one_token(client, model))


async def until_answered(request: Callable[[], Awaitable[T]]) -> T:
    """What `request` returns once somebody listens. Has no end of its own; raises `UnexpectedAnswer`."""
    while True:
        try:
            return await request()
        except httpx.TransportError:
            await asyncio.sleep(RETRY_S)


async def is_healthy(address: ServerAddress, *, timeout_s: float) -> bool:
    """What mlx_lm.server's `/health` says: False once its generation thread died.

    Raises an `httpx.TransportError` if nobody answers.
    """
    async with open_client(address, timeout_s=timeout_s) as client:
        try:
            async with asyncio.timeout(timeout_s):
                answer = await _request(client, "GET", httpx.URL(address.base_url).copy_with(path="/health"))
        except TimeoutError as error:  # the client's own times begin anew with every byte
            raise httpx.ReadTimeout(f"no whole answer within {timeout_s:g} s") from error
    return answer.status_code != httpx.codes.SERVICE_UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Models:
    """What `/models` lists, where it was found after redirects, and whether mlx_lm.server answered."""

    ids: tuple[str, ...]
    url: str
    of_mlx: bool

    def only(self, server: str, *, remedy: str) -> str:
        """The model of `server`: of mlx_lm.server what it was started with. Raises ServerError if it lists several."""
        if self.of_mlx or len(self.ids) == 1:
            return DEFAULT_MODEL if self.of_mlx else self.ids[0]
        raise ServerError(f"{server} lists {len(self.ids)} models: {self.named()}", remedy=remedy)

    def named(self) -> str:
        """Their names, of many the first."""
        more = f" and {len(self.ids) - _NAMED} more" if len(self.ids) > _NAMED else ""
        return (", ".join(self.ids[:_NAMED]) or "none") + more


async def list_models(client: httpx.AsyncClient) -> Models:
    """Ask `/models`. Raises `UnexpectedAnswer` or an `httpx.TransportError`."""
    answer = await _request(client, "GET", "/models")
    if await _is_mlx(client, answer):
        return Models((), str(answer.url), of_mlx=True)
    entries = _list_of_models(answer)
    if answer.status_code != httpx.codes.OK or not isinstance(entries, list):
        raise UnexpectedAnswer(answer)
    ids = (entry.get("id") for entry in entries if isinstance(entry, dict))
    names = dict.fromkeys(name for name in ids if isinstance(name, str))
    return Models(tuple(names), str(answer.url), of_mlx=False)


def _list_of_models(answer: httpx.Response) -> object:
    """Some servers send it as it is, without an object around it."""
    value = _json(answer)
    return value.get("data") if isinstance(value, dict) else value


async def _is_mlx(client: httpx.AsyncClient, answer: httpx.Response) -> bool:
    """mlx_lm.server lists models that it has not loaded, and fails where no model was ever downloaded."""
    if not answer.headers.get("server", "").startswith(_MLX_SERVER_HEADER):
        return False
    health = await _request(client, "GET", answer.url.copy_with(path="/health"))
    return _object(health) == _MLX_HEALTH


async def _request(
    client: httpx.AsyncClient,
    method: str,
    url: httpx.URL | str,
    **arguments: Any,  # noqa: ANN401 # httpx's
) -> httpx.Response:
    """An answer of which no more is read than what can be one; what is cut off there, or badly packed, is no JSON."""
    try:
        return await _whole_answer(client, method, url, **arguments)
    except ssl.SSLError as error:  # the server's alert, which comes after the handshake and no library wraps
        raise httpx.ReadError(str(error)) from error


async def _whole_answer(
    client: httpx.AsyncClient,
    method: str,
    url: httpx.URL | str,
    **arguments: Any,  # noqa: ANN401 # httpx's
) -> httpx.Response:
    content = b""
    async with client.stream(method, url, **arguments) as answer:
        try:
            refuse_bombs(answer.headers.get("content-encoding", ""))
        except ConnectionError as error:
            raise httpx.ReadError(str(error)) from error
        with suppress(httpx.DecodingError):
            async for piece in answer.aiter_bytes():
                content += piece[:_LARGEST_ANSWER]
                if len(content) > _LARGEST_ANSWER:
                    break
    headers = [(name, value) for name, value in answer.headers.raw if name.lower() != b"content-encoding"]
    return httpx.Response(answer.status_code, headers=headers, content=content, request=answer.request)


def _object(answer: httpx.Response) -> dict[str, object]:
    value = _json(answer)
    return value if isinstance(value, dict) else {}


def _json(answer: httpx.Response) -> object:
    try:
        return answer.json()
    except (ValueError, RecursionError):
        return None
