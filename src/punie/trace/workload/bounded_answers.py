"""A model server's answer has an end: what is longer fails its query, and doesn't fill our memory.

So does a whole answer where a stream was asked for: the client library would take it for an empty one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from punie.trace.bounded_get import refuse_bombs

MOST_BYTES: Final = 64 << 20
"""Of one answer, a stream's events with all their braces: a million tokens take less."""
_MOST_PACKED_BYTES: Final = 256 << 10  # packed bytes may become a thousand times as many
_STREAM_REQUESTED: Final = re.compile(rb'"stream":\s*true')
_NO_EVENTS: Final = (b"{", b"[", b"<")  # JSON or a page
_WHOLE: Final = "the server sent a whole answer where a stream was asked for (--no-stream asks for none): "
_SHOWN: Final = 200


def bounding(hidden: Callable[[str], str]) -> Callable[[Any], Awaitable[None]]:
    """A hook for responses of httpx or httpx2, for a client of an address whose `hidden` keeps its key out of texts.

    From then on reading them raises `ConnectionError` past the limit, or where it is no stream that was asked for;
    at once for what has none.
    """

    async def bound(response: Any) -> None:  # noqa: ANN401 # of one of two libraries
        refuse_bombs(response.headers.get("content-encoding", ""))
        is_packed = response.headers.get("content-encoding", "identity") != "identity"
        looks = response.is_success and not is_packed and _STREAM_REQUESTED.search(response.request.content)
        most_bytes = _MOST_PACKED_BYTES if is_packed else MOST_BYTES
        response.stream = _bounded(response.stream, most_bytes, hidden if looks else None)

    return bound


def _bounded(stream: Any, most_bytes: int, hidden: Callable[[str], str] | None) -> Any:  # noqa: ANN401 # as above
    """A stream of the library's own kind: it looks at what it is given."""
    library: Any = sys.modules[type(stream).__module__.partition(".")[0]]

    class Bounded(library.AsyncByteStream):  # type: ignore[misc] # a class of one of two libraries
        """Passes pieces on until they are too many."""

        async def __aiter__(self) -> AsyncIterator[bytes]:
            left, looks = most_bytes, hidden
            async for piece in stream:
                if looks and (start := piece.strip()):
                    if start.startswith(_NO_EVENTS):
                        raise ConnectionError(_WHOLE + looks(start.decode("utf-8", "replace"))[:_SHOWN])
                    looks = None
                left -= len(piece)
                if left < 0:
                    raise ConnectionError(f"the server's answer is longer than {most_bytes} bytes")
                yield piece

        async def aclose(self) -> None:
            """Close the connection."""
            await stream.aclose()

    return Bounded()
