"""Follows a folder of journal files: whole new lines, each once, in files that still grow."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_READ_AT_ONCE: Final = 4 << 20  # bytes
_MARK_BYTES: Final = 64

Place = tuple[int, str]
"""Bytes of a file up to the end of a line, and a mark of what stands before: by that a file is known, not by its length
alone. An empty mark fits any line."""

BEGINNING: Final[Mapping[str, Place]] = {}


class JournalTail:
    """Reads `DIRECTORY/*.jsonl` from where it left off, or from `start`: places by the files' names."""

    def __init__(self, directory: Path, start: Mapping[str, Place] = BEGINNING) -> None:
        self._directory = directory
        self._places = dict(start)
        self._changed: dict[str, None] = {}

    def places(self) -> dict[str, Place]:
        """The end of the last whole line given, of each file by its name."""
        return dict(self._places)

    def changed(self) -> tuple[str, ...]:
        """A sentence for each file that is not what was read of it before, or is none."""
        gone = [name for name in self._places if not (self._directory / name).exists()]
        return (*self._changed, *(f"{name} was read before and is gone" for name in gone))

    def lines(self) -> Iterator[bytes]:
        """Whole lines that are there now, without their newlines; a half-written last line waits."""
        for path in sorted(self._directory.glob("*.jsonl")):
            descriptor = self._open(path)
            if descriptor is None:
                continue
            try:
                yield from self._lines_of(path.name, descriptor)
            finally:
                os.close(descriptor)

    def torn_lines(self) -> int:
        """How many files end in the middle of a line."""
        paths = [path for path in self._directory.glob("*.jsonl") if path.is_file()]
        return sum(_ends_in_a_line(path) for path in paths)

    def _open(self, path: Path) -> int | None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO would wait
        except OSError as error:
            self._changed[f"{path.name}: {error.strerror or error}"] = None
            return None
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        self._changed[f"{path.name} is no file"] = None
        return None

    def _lines_of(self, name: str, descriptor: int) -> Iterator[bytes]:
        offset, mark = self._places.get(name, (0, ""))
        if not _stands_before(descriptor, offset, mark):
            self._changed[f"{name} is not the file that was read before: sent from its beginning"] = None
            offset = 0
        rest = b""
        while block := os.pread(descriptor, _READ_AT_ONCE, offset + len(rest)):
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                offset += len(line) + 1
                self._places[name] = (offset, _mark(line + b"\n"))
                if line:
                    yield line


def _ends_in_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        return file.seek(0, os.SEEK_END) > 0 and file.seek(-1, os.SEEK_END) >= 0 and file.read() != b"\n"


def _mark(text: bytes) -> str:
    """The last bytes of `text`, as their number and a digest: random ids are among them."""
    end = text[-_MARK_BYTES:]
    return f"{len(end)}-{hashlib.sha256(end).hexdigest()[:16]}"


def _stands_before(descriptor: int, offset: int, mark: str) -> bool:
    if offset == 0:
        return True
    size = int(mark.partition("-")[0]) if mark else 1
    before = os.pread(descriptor, size, offset - size)
    return before.endswith(b"\n") and (not mark or _mark(before) == mark)
