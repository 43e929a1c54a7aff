"""Model requests that were left before their answer was there: the server may go on with them, and nobody is told.

An agent's own time limit leaves them and asks again, and so does a tool that is cancelled with the one beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from punie.trace.analysis.calls.addresses import is_model_address

_urls: Final[ContextVar[list[str] | None]] = ContextVar("urls_of_left_requests", default=None)


@contextmanager
def left_requests() -> Iterator[list[str]]:
    """The URLs of those inside, one entry a request."""
    urls: list[str] = []
    token = _urls.set(urls)
    try:
        yield urls
    finally:
        _urls.reset(token)


def note_left_request(method: str, url: str) -> None:
    """A request to `url` was left; it counts if that is where a model answers."""
    urls = _urls.get()
    if (
        urls is not None
        and method == "POST"
        and is_model_address(url.partition("://")[2].rstrip("/").lower())
    ):
        urls.append(url)
