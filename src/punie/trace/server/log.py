"""The server's log file: its end, and the line that says what went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

TAIL_LINES: Final = 30
TAIL_BYTES: Final = 16 * 1024
SHOWN_LINES: Final = 100
"""A traceback of mlx_lm with its marks (Python 3.13 draws more of them) ends within these."""


@dataclass(frozen=True, slots=True)
class ServerLog:
    """What one server start wrote: `path` from byte `start` on."""

    path: Path
    start: int = 0

    def size_bytes(self) -> int:
        """How much the file holds, earlier starts included."""
        return self.path.stat().st_size if self.path.exists() else 0

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
        """The first line that holds `marker` and the lines after it, `SHOWN_LINES` at most; empty if there is none."""
        if not self.path.exists():
            return ""
        with self.path.open("rb") as file:
            file.seek(self.start)
            for line in file:
                if marker.encode() in line:
                    lines = [line, *islice(file, SHOWN_LINES - 1)]
                    return b"".join(lines)[:TAIL_BYTES].decode(errors="replace").rstrip()
        return ""

    def behind(self, marker: str) -> tuple[str, ...]:
        """What stands behind `marker` in the lines that have it, each text once, the first `SHOWN_LINES` of them."""
        lines: dict[str, None] = {}
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self.start)
                for line in file:
                    _, met, rest = line[:TAIL_BYTES].decode(errors="replace").partition(marker)
                    if met and len(lines) < SHOWN_LINES:
                        lines[rest.strip()] = None
        return tuple(lines)
