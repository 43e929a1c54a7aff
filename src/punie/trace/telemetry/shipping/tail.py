"""Follows a folder of journal files: whole new lines, each once, in files that still grow."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from punie.trace.open_flags import DO_NOT_WAIT, NO_LINK, READ, read_at

_READ_AT_ONCE: Final = 4 << 20  # bytes
_MARK_BYTES: Final = 64
_ENDING: Final = ".jsonl"

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
        for name, descriptor in self._journals():
            yield from self._lines_of(name, descriptor)

    def torn_lines(self) -> int:
        """How many files end in the middle of a line."""
        return sum(_ends_in_a_line(descriptor) for _, descriptor in self._journals())

    def _journals(self) -> Iterator[tuple[str, int]]:
        """Each journal by its name, open until the next one is asked for."""
        try:
            folder = os.open(self._directory, READ | os.O_DIRECTORY)
        except FileNotFoundError:
            return  # nothing is written yet
        except OSError as error:
            self._not_read(self._directory.name, f"can't be read: {error.strerror or error}")
            return
        try:
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries if entry.name.endswith(_ENDING))
            for name in names:
                descriptor = self._open(name, folder)
                if descriptor is not None:
                    with os.fdopen(descriptor):
                        yield name, descriptor
        finally:
            os.close(folder)

    def _open(self, name: str, folder: int) -> int | None:
        try:
            descriptor = os.open(name, READ | NO_LINK | DO_NOT_WAIT, dir_fd=folder)
        except OSError as error:
            is_link = error.errno in (errno.ELOOP, errno.EMLINK)
            why = (
                "is a link, which is not followed" if is_link else f"can't be read: {error.strerror or error}"
            )
            self._not_read(name, why)
            return None
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        self._not_read(name, "is no file")
        return None

    def _not_read(self, name: str, why: str) -> None:
        self._changed[f"{name} {why}"] = None

    def _lines_of(self, name: str, descriptor: int) -> Iterator[bytes]:
        offset, mark = self._places.get(name, (0, ""))
        if not _stands_before(descriptor, offset, mark):
            self._changed[f"{name} is not the file that was read before: sent from its beginning"] = None
            offset = 0
        rest = b""
        while block := read_at(descriptor, _READ_AT_ONCE, offset + len(rest)):
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                offset += len(line) + 1
                self._places[name] = (offset, _mark(line + b"\n"))
                if line:
                    yield line


def _ends_in_a_line(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size > 0 and read_at(descriptor, 1, size - 1) != b"\n"


def _mark(text: bytes) -> str:
    """The last bytes of `text`, as their number and a digest: random ids are among them."""
    end = text[-_MARK_BYTES:]
    return f"{len(end)}-{hashlib.sha256(end).hexdigest()[:16]}"


def _stands_before(descriptor: int, offset: int, mark: str) -> bool:
    if offset == 0:
        return True
    size = int(mark.partition("-")[0]) if mark else 1
    before = read_at(descriptor, size, offset - size)
    return before.endswith(b"\n") and (not mark or _mark(before) == mark)
