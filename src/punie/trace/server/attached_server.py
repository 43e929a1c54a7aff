"""A server that somebody else started."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType, TracebackType
from typing import Final, Self

import httpx

from punie.trace.errors import ServerError
from punie.trace.server import diagnosis, probe
from punie.trace.server.address import ServerAddress
from punie.trace.server.config import DEFAULT_MODEL, KEY_VARIABLE

CHECK_TIMEOUT_S: Final = 10.0
_RETRY_S: Final = 0.5
_MOST_RETRY_S: Final = 5.0
_UNREACHABLE: Final = "Check that the server runs and that the URL names its host, port and path (often /v1)."
_SIGNS: Final = {
    "mismatch": "The certificate names another host: write that one in --base-url.",
    "CERTIFICATE_VERIFY_FAILED": "Name the certificate of the server, or of who signed it, with SSL_CERT_FILE.",
    "WRONG_VERSION_NUMBER": "The server doesn't speak TLS: write http:// in --base-url.",
    "ReadError": "The server closed the connection without an answer: if it speaks TLS, write https:// in --base-url.",
}
_PROXY: Final = (
    "The environment names a proxy for it (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY): check its address and password, or "
    "name the server's host in NO_PROXY."
)
_WANTS_A_CERTIFICATE: Final = (
    "The server closed the connection: it may want a client's certificate, which can't be given here. Put a proxy "
    "before it that has one."
)
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


class AttachedServer:
    """A `Server` at the URL of any OpenAI-compatible server; leaving it stops nothing.

    Without `model` the server is asked: of `mlx_lm.server` the model that it was started with, of others the only
    one that it lists. `ready_timeout_s` bounds the first token, which may wait for a model to be loaded: a server
    that answers 503 is asked again, and `log` is notified of it. `settings` are fields of every request. A redirect is
    followed once, here, so that no query waits for it.

    Entering raises `ServerError` if the server can't be reached, refuses, or lists several models.
    """

    def __init__(
        self,
        address: ServerAddress,
        *,
        model: str | None = None,
        ready_timeout_s: float = 120.0,
        settings: Mapping[str, object] = _NOTHING,
        log: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.address = address
        self._model = model
        self._ready_timeout_s = ready_timeout_s
        self._settings = settings
        self._log = log

    @property
    def base_url(self) -> str:
        """The server's URL with its path, no slash at the end."""
        return self.address.base_url

    @property
    def model_name(self) -> str:
        """The model as given or found; known once entered."""
        if self._model is None:
            raise RuntimeError("the model's name is known once the server was entered")
        return self._model

    @property
    def pid(self) -> None:
        """Not ours to know."""
        return

    @property
    def ready_after_ns(self) -> None:
        """Not ours to know."""
        return

    @property
    def command(self) -> tuple[str, ...]:
        """Empty: nothing was started."""
        return ()

    def peak_memory_bytes(self) -> None:
        """Not ours to know."""
        return

    def request_settings(self) -> dict[str, object]:
        """What each request has to carry."""
        return dict(self._settings)

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(self._ready_timeout_s):
                await self._until_ready()
        except TimeoutError:
            raise ServerError(
                f"the server at {self.base_url} wasn't ready after {self._ready_timeout_s:g} s",
                remedy="Look into its log; allow more with --ready-timeout.",
            ) from None
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        except httpx.TooManyRedirects as error:
            raise ServerError(
                f"the server at {self.base_url} redirects in a circle", remedy="Check the URL."
            ) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        return

    async def check(self) -> None:
        """Raise `ServerError` if it can't be reached any more or says that it is unwell."""
        try:
            healthy = await probe.is_healthy(self.address, timeout_s=CHECK_TIMEOUT_S)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if not healthy:
            raise ServerError(
                f"the server at {self.base_url} reports that it isn't healthy",
                remedy=f"Look into its log (mlx_lm.server: {diagnosis.THREAD_DIED!r}) and restart it.",
            )

    async def _until_ready(self) -> None:
        is_logged = False
        while True:
            try:
                return await self._first_token()
            except probe.UnexpectedAnswer as answer:
                if not answer.is_loading:
                    raise self._refused(answer) from answer
                if not is_logged:
                    self._log(
                        f"the server at {self.base_url} is not ready yet ({self._shown(answer)}): waiting"
                    )
                is_logged = True
                await asyncio.sleep(_pause_s(answer.retry_after))

    async def _first_token(self) -> None:
        listed = await self._models()
        if self._model is None:
            server = f"the server at {self.base_url}"
            self._model = (
                listed.only(server, remedy="Name one with --model NAME.") if listed else DEFAULT_MODEL
            )
        async with self._client() as client:
            try:
                limit = await probe.complete_few_tokens(client, self._model)
            except probe.UnexpectedAnswer as answer:
                if answer.is_loading:
                    raise
                raise self._refused(answer, listed) from answer
        self.address = replace(self.address, token_limit=limit)

    async def _models(self) -> probe.Models | None:
        """What the server lists, and its address after redirects; None if it lists nothing and needn't."""
        async with self._client() as client:
            try:
                listed = await probe.list_models(client)
            except probe.UnexpectedAnswer as answer:
                if answer.is_loading or self._model is None:
                    raise
                return None
        moved = listed.url.rstrip("/").removesuffix("/models")
        if moved != self.base_url:
            self._log(f"{self.base_url} redirects to {moved}: asked there")
            self.address = self.address.moved_to(moved)
        return listed

    def _client(self) -> httpx.AsyncClient:
        return probe.open_client(self.address, timeout_s=self._ready_timeout_s)

    def _shown(self, answer: probe.UnexpectedAnswer) -> str:
        return self.address.hidden(str(answer))

    def _unreachable(self, error: httpx.TransportError) -> ServerError:
        remedies = (remedy for sign, remedy in _SIGNS.items() if sign in repr(error))
        return ServerError(
            f"no answer from {self.base_url}: {type(error).__name__} {error}".rstrip(),
            remedy=_WANTS_A_CERTIFICATE
            if isinstance(error, httpx.ReadError) and self.base_url.startswith("https:")
            else next(remedies, _PROXY if self.address.uses_proxy else _UNREACHABLE),
        )

    def _refused(self, answer: probe.UnexpectedAnswer, listed: probe.Models | None = None) -> ServerError:
        remedy = "Check the path of the URL (often /v1) and the model that is asked for (--model)."
        if answer.status == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            remedy = _PROXY
        elif answer.status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            remedy = (
                "It doesn't take the key that was sent: check its variable (--api-key-env), or the URL's user."
                if self.address.authorization
                else f"Give the key in {KEY_VARIABLE}, or name its variable with --api-key-env NAME."
            )
        elif listed and listed.ids:
            remedy = f"Check the model's name (--model). The server lists: {listed.named()}"
        what = "answered with what is no completion" if answer.status < 400 else "refused a request"
        return ServerError(f"the server at {self.base_url} {what}: {self._shown(answer)}", remedy=remedy)


def _pause_s(retry_after: str) -> float:
    """What the server asks for, within reason; half a second where it asks for nothing."""
    return (
        min(float(retry_after), _MOST_RETRY_S) if retry_after.isdecimal() and retry_after != "0" else _RETRY_S
    )
