"""Reads server-sent events off the bytes of a body as they pass, without changing them.

The format: https://html.spec.whatwg.org/multipage/server-sent-events.html. Of `event`, `id` and `retry` nothing
is needed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

LONGEST_EVENT: Final = 1 << 20
"""Bytes of one event that are held; what is longer is cut off there, which no JSON survives."""


class SseEvent(msgspec.Struct, frozen=True, gc=False):  # one a token: a dataclass takes five times as long
    """One dispatched event that carries data: its `data` lines, joined by line feeds."""

    data: bytes


class SseComment(msgspec.Struct, frozen=True, gc=False):
    """A line that begins with a colon: what follows the colon."""

    text: bytes


SseItem = SseEvent | SseComment


class SseParser:
    """Feed it the body's chunks in order, however the network cut them."""

    def __init__(self) -> None:
        self._line: list[bytes] = []  # the pieces of the unfinished line
        self._line_size = 0
        self._data: list[bytes] = []
        self._data_size = 0
        self._after_return = False

    def feed(self, chunk: bytes) -> Iterable[SseItem]:
        """What this chunk completed. Read it to its end before the next chunk."""
        if (
            chunk.endswith(b"\n\n")  # whole events, as servers send them: no state to keep
            and not (self._line or self._data or self._after_return)
            and len(chunk) <= LONGEST_EVENT
            and b"\r" not in chunk
        ):
            return self._whole(chunk)
        return self._pieces(chunk)

    def _whole(self, chunk: bytes) -> Iterator[SseItem]:
        for block in chunk[:-2].split(b"\n\n"):
            if block.startswith(b"data: ") and b"\n" not in block:
                yield SseEvent(block[6:])
                continue
            for line in block.split(b"\n"):
                yield from self._take(line)
            yield from self._take(b"")

    def _pieces(self, chunk: bytes) -> Iterator[SseItem]:
        if self._after_return and chunk[:1] == b"\n":  # the second half of a line end that was cut in two
            chunk = chunk[1:]
            self._after_return = False
        if chunk:
            self._after_return = chunk.endswith(b"\r")
        first, *others = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._hold(first)
        for begun in others:
            line = b"".join(self._line)
            self._line, self._line_size = [], 0
            self._hold(begun)
            yield from self._take(line)

    def _hold(self, piece: bytes) -> None:
        room = LONGEST_EVENT - self._line_size
        if piece and room > 0:
            self._line.append(piece[:room])
            self._line_size += len(self._line[-1])

    def _take(self, line: bytes) -> Iterator[SseItem]:
        if not line:
            if self._data:
                yield SseEvent(b"\n".join(self._data))
                self._data, self._data_size = [], 0
        elif line.startswith(b":"):
            yield SseComment(line[1:])
        elif line.startswith(b"data:") or line == b"data":
            self._add(line[5:].removeprefix(b" "))

    def _add(self, data: bytes) -> None:
        if self._data_size + len(data) > LONGEST_EVENT:
            data = data[: LONGEST_EVENT - self._data_size]
        self._data.append(data)
        self._data_size += len(data)
