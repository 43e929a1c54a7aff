"""What a run needs to know of a model server, whoever started it."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self


class Server(Protocol):
    """An OpenAI-compatible server that is ready inside `async with`.

    Entering raises `ServerError` if the server doesn't get ready; leaving ends only what entering started.
    """

    @property
    def base_url(self) -> str:
        """Where an OpenAI client points: `http://HOST:PORT/v1`, no slash at the end."""

    @property
    def model_name(self) -> str:
        """The model to name in each request."""

    @property
    def pid(self) -> int | None:
        """The server's process on this machine, None if it isn't ours."""

    async def check(self) -> None:
        """Raise `ServerError`, with the server's own words, if it can no longer answer requests."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...
