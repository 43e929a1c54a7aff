"""A server that somebody else started."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import httpx

from punie.trace.errors import ConfigError, ServerError
from punie.trace.server import diagnosis, probe
from punie.trace.server.config import DEFAULT_MODEL

CHECK_TIMEOUT_S: Final = 10.0

# mlx_lm.server answers through the standard library's http.server, and lists models that it has not loaded.
_MLX_SERVER_HEADER: Final = "BaseHTTP/"


class AttachedServer:
    """A `Server` at the URL of any OpenAI-compatible server; leaving it stops nothing.

    A URL without a path gets `/v1`. Without `model` the server is asked: of `mlx_lm.server` the model that it was
    started with, of others the only one that it lists. `ready_timeout_s` bounds the first token, which may wait
    for a model to be loaded. `api_key` is sent as a bearer token.

    Raises `ConfigError` for a URL that is none, `ServerError` when entered, if the server can't be reached, refuses,
    or lists several models.
    """

    def __init__(
        self,
        base_url: str,
        *,
        model: str | None = None,
        api_key: str | None = None,
        ready_timeout_s: float = 120.0,
    ) -> None:
        self._base_url = normalised(base_url)
        self._model = model
        self._api_key = api_key
        self._ready_timeout_s = ready_timeout_s

    @property
    def base_url(self) -> str:
        """The server's URL with its path, no slash at the end."""
        return self._base_url

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

    def peak_memory_bytes(self) -> None:
        """Not ours to know."""
        return

    def request_settings(self) -> dict[str, object]:
        """What each request has to carry."""
        return {}

    async def __aenter__(self) -> Self:
        async with self._client(self._ready_timeout_s) as client:
            try:
                if self._model is None:
                    self._model = await self._discover(client)
                await probe.complete_one_token(client, self._model)
            except httpx.TransportError as error:
                raise self._unreachable(error) from error
            except probe.Refused as answer:
                raise self._refused(answer) from answer
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        return

    async def check(self) -> None:
        """Raise `ServerError` if it can't be reached any more or says that it is unwell."""
        try:
            healthy = await probe.is_healthy(self._base_url, timeout_s=CHECK_TIMEOUT_S)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if not healthy:
            raise ServerError(
                f"the server at {self._base_url} says that it isn't healthy",
                remedy=f"Look into its log (mlx_lm.server: {diagnosis.THREAD_DIED!r}) and restart it.",
            )

    async def _discover(self, client: httpx.AsyncClient) -> str:
        if (await client.get("/")).headers.get("server", "").startswith(_MLX_SERVER_HEADER):
            return DEFAULT_MODEL
        models = await probe.list_models(client)
        if len(models) == 1:
            return models[0]
        listed = ", ".join(models[:8]) or "none"
        raise ServerError(
            f"the server at {self._base_url} lists {len(models)} models: {listed}", remedy="Name one."
        )

    def _client(self, timeout_s: float) -> httpx.AsyncClient:
        return probe.open_client(self._base_url, timeout_s=timeout_s, api_key=self._api_key)

    def _unreachable(self, error: httpx.TransportError) -> ServerError:
        return ServerError(
            f"no answer from {self._base_url}: {type(error).__name__} {error}".rstrip(),
            remedy="Check that the server runs and that the URL names its host, port and path (often /v1).",
        )

    def _refused(self, answer: probe.Refused) -> ServerError:
        return ServerError(
            f"the server at {self._base_url} refused a request: {answer}",
            remedy="Check the path of the URL (often /v1), the model's name and the key.",
        )


def normalised(base_url: str) -> str:
    """The URL with a path and without a slash at its end. Raises `ConfigError`."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("base_url", f"needs http://HOST:PORT/v1, not {base_url!r}")
    stripped = base_url.rstrip("/")
    return stripped if parts.path.strip("/") else f"{stripped}/v1"
