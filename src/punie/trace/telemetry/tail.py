"""Follows a folder of journal files: whole new lines, each once, in files that still grow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

_READ_AT_ONCE: Final = 4 << 20  # bytes


class JournalTail:
    """Reads `DIRECTORY/*.jsonl` from where it left off."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._offsets: dict[Path, int] = {}  # bytes up to the end of the last whole line given

    def lines(self) -> Iterator[bytes]:
        """Whole lines that are there now, without their newlines; a half-written last line waits."""
        for path in sorted(self._directory.glob("*.jsonl")):
            yield from self._lines_of(path)

    def torn_lines(self) -> int:
        """How many files end in the middle of a line, after all that `lines` gave."""
        return sum(
            path.stat().st_size > self._offsets.get(path, 0) for path in self._directory.glob("*.jsonl")
        )

    def _lines_of(self, path: Path) -> Iterator[bytes]:
        offset = self._offsets.get(path, 0)
        with path.open("rb") as file:
            file.seek(offset)
            rest = b""
            while block := file.read(_READ_AT_ONCE):
                *whole, rest = (rest + block).split(b"\n")
                for line in whole:
                    offset += len(line) + 1
                    self._offsets[path] = offset
                    if line:
                        yield line
