"""Paths that a model names, held inside the workspace.

`inside` says what a path means now. Whoever reads opens it with `open_inside`, which goes from open folder to open
folder: what is swapped for a link meanwhile is not followed out of the workspace.
"""

from __future__ import annotations

import glob
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from punie.trace.open_flags import DO_NOT_WAIT, NO_LINK, READ

FILES_LIMIT: Final = 50_000
"""Most files that one command may be given; more is refused."""

_LINKS_LIMIT: Final = 40  # as Linux has it

READ_LIMIT_BYTES: Final = 1_000_000
"""Most bytes that are ever read of a file or of a program's output."""


class RefusedError(Exception):
    """A command or a path that the policy doesn't allow; the message is what the model gets to read."""


def inside(text: str, root: Path) -> Path:
    """The file or folder that `text` means in `root`, links resolved.

    Raises RefusedError if it lies outside, doesn't exist, or is neither a regular file nor a folder.
    `root` must be resolved.
    """
    _check_text(text)
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


def _check_text(text: str) -> None:
    if not text or any(ord(character) < 32 for character in text):
        raise RefusedError("a path must not be empty or hold control characters")
    if text.startswith("~"):
        raise RefusedError(f"{text} is outside the project")


def open_inside(text: str, root: Path) -> int:
    """A descriptor of the file or folder that `text` means in `root`; the caller closes it.

    Each step is opened from the folder of the step before. A link is read, and its steps are gone the same way; one
    that leads out of `root`, even for a moment, is refused. Raises RefusedError as `inside`.
    """
    _check_text(text)
    steps = deque(_below_root(text, root).split("/"))
    above = [os.open(root, READ | os.O_DIRECTORY)]
    links = 0
    try:
        while steps:
            step = steps.popleft()
            if step == "..":
                os.close(above.pop())
            elif step not in ("", "."):
                target = _enter(step, above)
                if target is not None:
                    links += 1
                    steps.extendleft(reversed(_below_root(target, root).split("/")))
                    if target.startswith("/"):
                        _leave(above, 1)
            if not above or links > _LINKS_LIMIT:
                raise RefusedError(f"{text} is outside the project")
        return above.pop()
    except PermissionError as error:
        raise RefusedError(f"{text} can't be read: {error.strerror}") from error
    except (OSError, ValueError) as error:
        raise RefusedError(f"no such file or folder: {text}") from error
    finally:
        _leave(above, 0)


def _enter(step: str, above: list[int]) -> str | None:
    """Open `step` in the last folder; if it is a link, what that says."""
    mode = os.stat(step, dir_fd=above[-1], follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        return os.readlink(step, dir_fd=above[-1])
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        above.append(os.open(step, READ | NO_LINK | DO_NOT_WAIT, dir_fd=above[-1]))
        mode = os.fstat(above[-1]).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise RefusedError(f"{step} is neither a file nor a folder")
    return None


def _below_root(text: str, root: Path) -> str:
    """`text` as a path from `root` on. Raises RefusedError for an absolute one that lies elsewhere."""
    if not text.startswith("/"):
        return text
    for path in (Path(text), Path(text).parent.resolve() / Path(text).name):  # macOS: /tmp is /private/tmp
        if path.is_relative_to(root):
            return str(path.relative_to(root))
    raise RefusedError(f"{text} is outside the project")


def _leave(above: list[int], depth: int) -> None:
    while len(above) > depth:
        os.close(above.pop())


def operand(text: str, root: Path) -> str:
    """`text` as a path from `root` on, written so that no program takes it for an option or for standard input.

    Raises RefusedError as `inside`.
    """
    path = inside(text, root)
    if text.startswith("/") or ".." in text.split("/"):
        text = str(path.relative_to(root))
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
    limited: list[str] = []
    for path in paths:
        if len(limited) == FILES_LIMIT:
            raise RefusedError(f"more than {FILES_LIMIT} files: name a smaller folder")
        limited.append(path)
    return limited


def read_bytes(text: str, root: Path) -> tuple[bytes, bool]:
    """The first `READ_LIMIT_BYTES` of regular file `text`, and whether there is more.

    Raises RefusedError as `open_inside` does, and for a folder.
    """
    descriptor = open_inside(text, root)
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise RefusedError(f"{text} is a folder")
        data = os.read(descriptor, READ_LIMIT_BYTES + 1)
    finally:
        os.close(descriptor)
    return data[:READ_LIMIT_BYTES], len(data) > READ_LIMIT_BYTES
