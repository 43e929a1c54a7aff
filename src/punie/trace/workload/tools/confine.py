"""Paths that a model names, held inside the workspace; links are followed before they are judged."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

FILES_LIMIT: Final = 50_000
"""Most files that one command may be given; more is refused."""

READ_LIMIT_BYTES: Final = 1_000_000
"""Most bytes that are ever read of a file or of a program's output."""


class RefusedError(Exception):
    """A command or a path that the policy doesn't allow; the message is what the model gets to read."""


def inside(text: str, root: Path) -> Path:
    """The file or folder that `text` means in `root`, links resolved.

    Raises RefusedError if it lies outside, doesn't exist, or is neither a regular file nor a folder.
    `root` must be resolved.
    """
    if not text or any(ord(character) < 32 for character in text):
        raise RefusedError("a path must not be empty or hold control characters")
    if text.startswith("~"):
        raise RefusedError(f"{text} is outside the project")
    try:
        path = (root / text).resolve()
        mode = path.stat().st_mode if path.is_relative_to(root) else None
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise RefusedError(f"no such file or folder: {text}") from error
    if mode is None:
        raise RefusedError(f"{text} is outside the project")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise RefusedError(f"{text} is neither a file nor a folder")
    return path


def operand(text: str, root: Path) -> str:
    """`text` checked by `inside` and written so that no program takes it for an option or for standard input."""
    inside(text, root)
    return f"./{text}" if text.startswith("-") else text


def expand(text: str, root: Path) -> list[str]:
    """The operands that `text` stands for: itself, or what its glob matches, sorted, links left out.

    Raises RefusedError as `inside` does, and if a glob matches nothing.
    """
    if not any(character in text for character in "*?[") or os.path.lexists(root / text):
        return [operand(text, root)]
    if text.startswith(("/", "~")) or ".." in text.split("/"):
        raise RefusedError(f"{text} is outside the project")
    globbed = glob.iglob(text, root_dir=root)  # noqa: PTH207 # as a shell: hidden files only if the pattern says so
    matches = [path for path in globbed if not _leads_through_a_link(path, root)]
    if not matches:
        raise RefusedError(f"no such file or folder: {text}")
    return [operand(path, root) for path in _limited(sorted(matches))]


def _leads_through_a_link(path: str, root: Path) -> bool:
    return any((root / part).is_symlink() for part in (Path(path), *Path(path).parents))


def regular_files(
    text: str,
    root: Path,
    *,
    wants_file: Callable[[str], bool],
    wants_folder: Callable[[str], bool],
) -> list[str]:
    """The regular files at and below operand `text`, sorted, each written as `text` is; links are left out."""
    if not inside(text, root).is_dir():
        return [text]
    return sorted(_limited(_below(root / text, text.rstrip("/"), wants_file, wants_folder)))


def _below(
    top: Path, shown: str, wants_file: Callable[[str], bool], wants_folder: Callable[[str], bool]
) -> Iterator[str]:
    # What can't be opened is left out, as grep does after its complaint.
    for folder, folders, names in os.walk(top):
        folders[:] = filter(wants_folder, folders)
        for name in filter(wants_file, names):
            if stat.S_ISREG(os.lstat(f"{folder}/{name}").st_mode):
                yield f"{shown}{folder.removeprefix(str(top))}/{name}"


def _limited(paths: Iterable[str]) -> list[str]:
    kept: list[str] = []
    for path in paths:
        if len(kept) == FILES_LIMIT:
            raise RefusedError(f"more than {FILES_LIMIT} files: name a smaller folder")
        kept.append(path)
    return kept


def read_bytes(text: str, root: Path) -> tuple[bytes, bool]:
    """The first `READ_LIMIT_BYTES` of regular file `text`, and whether there is more.

    Raises RefusedError as `inside` does, for a folder, and for a file that can't be opened.
    """
    path = inside(text, root)
    if path.is_dir():
        raise RefusedError(f"{text} is a folder")
    try:
        # No link and no pipe that would wait, should the file have been swapped since it was looked at.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise RefusedError(f"{text} can't be read: {error.strerror}") from error
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise RefusedError(f"{text} is neither a file nor a folder")
        data = file.read(READ_LIMIT_BYTES + 1)
    return data[:READ_LIMIT_BYTES], len(data) > READ_LIMIT_BYTES
