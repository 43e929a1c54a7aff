"""Files that a program reads, opened for it: what it gets is what was checked, whatever is swapped meanwhile.

    FOLDER/src/views.py -> /dev/fd/7        FOLDER is a new one of ours, and the program runs in it

A name leads to an open file and to nothing else, so no path is walked a second time. Of a folder there is an empty one,
about which a program complains as about the real one. What can't be opened is missing, and so it complains of that.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from punie.trace.workload.tools.confine import RefusedError, open_inside

FILES_AT_ONCE: Final = 64
"""Most files that one program gets. macOS lets a process have 256 open, in a terminal as it comes."""


@dataclass(frozen=True, slots=True)
class OpenedFiles:
    """The folder in which a program runs, and the open files that its names lead to."""

    folder: Path
    descriptors: tuple[int, ...] = ()


@contextmanager
def opened(names: Sequence[str], root: Path) -> Iterator[OpenedFiles]:
    """The files of `root` that `names` mean, until the block ends. Raises OSError if there is no room for it."""
    descriptors: list[int] = []
    try:
        with TemporaryDirectory(prefix="punie-trace-") as folder:
            for name in dict.fromkeys(names):
                with suppress(RefusedError):
                    descriptors.append(open_inside(name, root))
                    _place(Path(folder, name), descriptors[-1])
            yield OpenedFiles(Path(folder), tuple(descriptors))
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _place(path: Path, descriptor: int) -> None:
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_symlink():  # named twice, in two ways
        path.symlink_to(f"/dev/fd/{descriptor}")
