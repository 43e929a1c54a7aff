"""Counts server-sent events in the bytes of a body as they pass, without holding or changing them."""

from __future__ import annotations

from typing import Final

_PREFIX: Final = 64  # of an unfinished line only its beginning matters
_DONE: Final = b"[DONE]"


class SseCounter:
    """Feed it the body's chunks in order.

    `events` are the dispatched events that carry data; OpenAI's closing `[DONE]` is not one of them but sets
    `done`. Comment lines (`: keepalive …`) are none either.
    """

    def __init__(self) -> None:
        self.events = 0
        self.done = False
        self._line = b""
        self._has_data = False
        self._after_return = False

    def feed(self, chunk: bytes) -> int:
        """How many events this chunk completed."""
        before = self.events
        if self._after_return and chunk[:1] == b"\n":  # the second half of a line end that was cut in two
            chunk = chunk[1:]
            self._after_return = False
        if chunk:
            self._after_return = chunk.endswith(b"\r")
        *whole, rest = (self._line + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for line in whole:
            self._take(line)
        self._line = rest[:_PREFIX]
        return self.events - before

    def _take(self, line: bytes) -> None:
        if not line:
            self.events += self._has_data
            self._has_data = False
        elif line.startswith(b"data:"):
            if line[5:].strip() == _DONE:
                self.done = True
            else:
                self._has_data = True
