"""What Windows lacks of files and processes: flags are 0 there, and what they guard against isn't guarded against."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

READ: Final[int] = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
DO_NOT_WAIT: Final[int] = getattr(os, "O_NONBLOCK", 0)
"""Opening a pipe would wait for a writer."""
NO_LINK: Final[int] = getattr(os, "O_NOFOLLOW", 0)
"""A link as the last step of the path is an error."""
CLOSE_ON_EXEC: Final[int] = getattr(os, "O_CLOEXEC", 0)


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """At most `size` bytes from `offset`; where there is no `pread`, the file's position moves."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, size, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, size)


def after_fork_in_child(hook: Callable[[], None]) -> None:
    """Call `hook` in every process that this one forks, where processes fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=hook)
