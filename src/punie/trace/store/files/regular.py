"""Regular files alone, looked at after they are open: what is swapped between a look and an open isn't waited for."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, cast

from punie.trace.open_flags import DO_NOT_WAIT, READ


def open_regular(path: Path) -> BinaryIO:
    """The file at `path`, or the one that a link there names. Raises OSError, for a pipe or a device too."""
    descriptor = os.open(path, READ | DO_NOT_WAIT)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return cast(BinaryIO, os.fdopen(descriptor, "rb"))
    os.close(descriptor)
    raise OSError("not a regular file")


def is_folder(path: Path) -> bool:
    """Whether a folder is there; False too for what nobody can look at, where `Path.is_dir` raises."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: Path) -> bool:
    """Whether a regular file is there, as `is_folder`."""
    return os.path.isfile(path)  # noqa: PTH113


def exists(path: Path) -> bool:
    """Whether anything is there, as `is_folder`."""
    return os.path.exists(path)  # noqa: PTH110
