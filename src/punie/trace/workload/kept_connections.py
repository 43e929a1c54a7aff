"""A request that met the closing of its kept connection is sent once more, on another one.

    client  ── POST on a kept connection ─▶ x      nothing was sent back: the server had just closed it, as llama.cpp's
    client  ── the same POST on a new one ─▶ ok    does after 5 s, which is how long a slow tool keeps it idle

Client libraries leave such a POST failed. Both attempts have spans.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import httpx2
import openai

if TYPE_CHECKING:
    from collections.abc import Mapping

AT_ONCE_S: Final = 1.0
"""A connection that was closed before shows it at once; a server that dies over a request takes longer."""
_CONNECTING: Final = "connection.connect_tcp.started"
_ANSWERED: Final = "http11.receive_response_headers.complete"


class SendingAgain(openai.DefaultAsyncHttpxClient):
    """A client that does so, once a request."""

    async def send(self, request: httpx2.Request, **how: Any) -> httpx2.Response:  # noqa: ANN401 # the library's own
        """As the library's. Raises its `TransportError` where it was no kept connection, or the second one fails."""
        seen: set[str] = set()

        async def note(event: str, _about: Mapping[str, Any]) -> None:
            seen.add(event)

        request.extensions = {**request.extensions, "trace": note}
        began_s = time.monotonic()
        try:
            return await super().send(request, **how)
        except (httpx2.NetworkError, httpx2.RemoteProtocolError):
            is_late = time.monotonic() - began_s > AT_ONCE_S
            if is_late or _ANSWERED in seen or _CONNECTING in seen:
                raise
        return await super().send(request, **how)
