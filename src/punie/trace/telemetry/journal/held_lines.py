"""Lines that the disk doesn't take: kept in bounded memory until it does, and offered to who sends them meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 16 << 20

Taker = Callable[[Path, bytes], None]
"""Called with the directory of a journal and a line that couldn't be written there, in the thread that wrote it."""

takers: Final[list[Taker]] = []
"""Whoever is in it is offered every line that this process can't write."""


class HeldLines:
    """The oldest first. Not safe with threads: its journal's lock is held."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lines: deque[bytes] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._lines)

    def hold(self, directory: Path, line: bytes) -> bool:
        """Keep `line` and offer it; False if there is no room."""
        if self._bytes + len(line) > self._most_bytes:
            return False
        for taker in takers:
            taker(directory, line)
        self._lines.append(line)
        self._bytes += len(line)
        return True

    def write(self, append: Callable[[bytes], None]) -> int:
        """Hand every line to `append`, until it raises OSError; returns how many it took."""
        taken = 0
        while self._lines:
            try:
                append(self._lines[0])
            except OSError:
                break
            self._bytes -= len(self._lines.popleft())
            taken += 1
        return taken
