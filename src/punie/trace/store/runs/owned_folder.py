"""A folder that a command makes and finds again: of a run, a benchmark, an improvement, a training."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import ClassVar, Self

from punie.trace.errors import CHECK_WRITABLE, InputError
from punie.trace.store.files.regular import is_file, is_folder


@dataclass(frozen=True, slots=True)
class OwnedFolder:
    """A folder with `holds` in it, a file or a folder, by which it is known; it begins with the folder `begins_with`.

    `what` names it and `named` says where its user finds it, both in errors.
    """

    path: Path
    what: ClassVar[str]
    holds: ClassVar[str]
    begins_with: ClassVar[str]
    named: ClassVar[str]

    @classmethod
    def create(cls, parent: Path, name: str) -> Self:
        """A new folder `name` in `parent`; if it exists `name-2`, and so on. Raises `InputError`."""
        path = parent / name
        try:
            parent.mkdir(parents=True, exist_ok=True)
            for number in count(2):
                try:
                    path.mkdir()
                except FileExistsError:
                    path = parent / f"{name}-{number}"
                else:
                    break
            (path / cls.begins_with).mkdir()
        except OSError as error:
            raise InputError(
                f"{path}: can't make the folder: {error.strerror or error}", remedy=CHECK_WRITABLE
            ) from error
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The folder at `path`. Raises `InputError` if it is no such folder."""
        if cls.is_at(path):
            return cls(path)
        raise InputError(
            f"{path}: not {cls.what}: it has no {cls.holds}", remedy=f"Give the folder that {cls.named}."
        )

    @classmethod
    def is_at(cls, path: Path) -> bool:
        """Whether `path` is such a folder; what nobody can look at isn't."""
        return (is_folder if cls.holds.endswith("/") else is_file)(path / cls.holds)
