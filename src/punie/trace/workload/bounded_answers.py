"""A model server's answer has an end: what is longer fails its query, and doesn't fill our memory."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any, Final

from punie.trace.bounded_get import refuse_bombs

MOST_BYTES: Final = 64 << 20
"""Of one answer, a stream's events with all their braces: a million tokens take less."""
_MOST_PACKED_BYTES: Final = 256 << 10  # packed bytes may become a thousand times as many


async def bound(response: Any) -> None:  # noqa: ANN401 # of httpx or of httpx2
    """From now on reading `response` raises `ConnectionError` past the limit; at once for what has none."""
    refuse_bombs(response.headers.get("content-encoding", ""))
    is_packed = response.headers.get("content-encoding", "identity") != "identity"
    response.stream = _bounded(response.stream, _MOST_PACKED_BYTES if is_packed else MOST_BYTES)


def _bounded(stream: Any, most_bytes: int) -> Any:  # noqa: ANN401 # as above
    """A stream of the library's own kind: it looks at what it is given."""
    library: Any = sys.modules[type(stream).__module__.partition(".")[0]]

    class Bounded(library.AsyncByteStream):  # type: ignore[misc] # a class of one of two libraries
        """Passes pieces on until they are too many."""

        async def __aiter__(self) -> AsyncIterator[bytes]:
            left = most_bytes
            async for piece in stream:
                left -= len(piece)
                if left < 0:
                    raise ConnectionError(f"the server's answer is longer than {most_bytes} bytes")
                yield piece

        async def aclose(self) -> None:
            """Close the connection."""
            await stream.aclose()

    return Bounded()
