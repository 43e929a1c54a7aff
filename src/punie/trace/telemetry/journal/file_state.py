"""What a journal's file held when this process last wrote to it, by which one that somebody cut is known."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Final

from punie.trace.open_flags import read_at

_BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class FileState:
    """What was in the file when it was left: bytes, and whole lines."""

    size: int = 0
    lines: int = 0


def left_in(fd: int) -> FileState:
    """What is in the file now."""
    size = lines = 0
    while block := read_at(fd, _BLOCK_BYTES, size) if stat.S_ISREG(os.fstat(fd).st_mode) else b"":
        size += len(block)
        lines += block.count(b"\n")
    return FileState(size, lines)


def is_torn(fd: int, size: int) -> bool:
    """Whether a file of `size` bytes ends within a line."""
    return size > 0 and read_at(fd, 1, size - 1) != b"\n"
