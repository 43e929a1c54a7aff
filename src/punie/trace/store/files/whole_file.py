"""A file that is there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Final

from punie.trace.errors import CHECK_WRITABLE, OutputError

PRIVATE: Final = 0o600
"""The mode of a file that may hold content: this user's alone."""


def write_whole(path: Path, content: str | bytes | Iterable[bytes], *, mode: int = 0o666) -> None:
    """Write text, as UTF-8, or bytes to `path` by way of a temporary file beside it; pieces are made as they go there.

    Raises `OutputError` if it can't be written; what stood at `path` before then still stands. A device or a pipe
    (`/dev/null`, `/dev/stdout`) is written to and never replaced; of a symbolic link the file that it names is.
    """
    content = content.encode() if isinstance(content, str) else content
    pieces = (content,) if isinstance(content, bytes) else content
    # before links are followed: what /dev/stdout names may have no path
    if path.exists() and not path.is_file():
        _write_through(path, pieces)
        return
    path = path.resolve() if path.is_symlink() else path
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # of a process that had the same number, or a link that somebody put there
        temporary.unlink(missing_ok=True)
        with open(temporary, "xb", opener=partial(os.open, mode=mode)) as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path}: can't be written: {error.strerror or error}", remedy=CHECK_WRITABLE
        ) from error
    finally:
        if temporary.exists():  # half-written
            temporary.unlink()


def _write_through(path: Path, pieces: Iterable[bytes]) -> None:
    try:
        with path.open("wb") as file:
            file.writelines(pieces)
    except OSError as error:
        raise OutputError(
            f"{path}: can't be written: {error.strerror or error}", remedy=CHECK_WRITABLE
        ) from error
