"""Follows a folder of journal files: whole new lines, each once, in files that still grow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_READ_AT_ONCE: Final = 4 << 20  # bytes
NOTHING_READ: Final[Mapping[str, int]] = {}


class JournalTail:
    """Reads `DIRECTORY/*.jsonl` from where it left off, or from `start`: bytes of each file, by its name."""

    def __init__(self, directory: Path, start: Mapping[str, int] = NOTHING_READ) -> None:
        self._directory = directory
        self._offsets = {directory / name: offset for name, offset in start.items()}
        for path, offset in self._offsets.items():
            if not _is_line_end(path, offset):
                self._offsets[path] = 0  # another file than the one that was read

    def positions(self) -> dict[str, int]:
        """Bytes of each file up to the end of the last whole line given, by its name."""
        return {path.name: offset for path, offset in self._offsets.items()}

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


def _is_line_end(path: Path, offset: int) -> bool:
    if offset == 0:
        return True
    try:
        with path.open("rb") as file:
            file.seek(offset - 1)
            return file.read(1) == b"\n"
    except OSError:
        return False
