"""The server's log file: its end, and the line that says what went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

TAIL_LINES: Final = 30
TAIL_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class ServerLog:
    """What one server start wrote: `path` from byte `start` on."""

    path: Path
    start: int = 0

    def tail(self) -> str:
        """The last lines, at most `TAIL_LINES` and `TAIL_BYTES`; empty if nothing was written."""
        if not self.path.exists():
            return ""
        with self.path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(self.start, size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])

    def find(self, marker: str) -> str:
        """The first line that holds `marker` and up to `TAIL_LINES` after it; empty if there is none."""
        if not self.path.exists():
            return ""
        with self.path.open("rb") as file:
            file.seek(self.start)
            for line in file:
                if marker.encode() in line:
                    found = [line, *islice(file, TAIL_LINES - 1)]
                    return b"".join(found)[:TAIL_BYTES].decode(errors="replace").rstrip()
        return ""
