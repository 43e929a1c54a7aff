"""How far each receiver has acknowledged a folder of journals: a small file beside them.

Format versions: 1, the first.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec

from punie.trace.errors import InputError
from punie.trace.store import documents

FILE_NAME: Final = ".shipped.json"  # hidden, so that no reader of a folder of spans takes it for spans
FORMAT_VERSION: Final = 1
_REMEDY: Final = "Delete it: then everything is sent again, and readers drop what they have twice."


Count = Annotated[int, msgspec.Meta(ge=0)]


class Acknowledged(msgspec.Struct, frozen=True):
    """What one receiver has: bytes of each journal file, by its name, and spans.

    `marks` are of the text before, by which a file is known again; records of earlier versions have none.
    """

    offsets: Mapping[str, Count] = msgspec.field(name="bytes")
    accepted: Count = 0
    rejected: Count = 0
    marks: Mapping[str, str] = msgspec.field(default_factory=dict)

    @property
    def places(self) -> dict[str, tuple[int, str]]:
        """Offset and mark of each file; the mark is empty where none is kept."""
        return {name: (offset, self.marks.get(name, "")) for name, offset in self.offsets.items()}


NOTHING: Final = Acknowledged({})


@dataclass(frozen=True, slots=True)
class _Document:
    targets: dict[str, Acknowledged]
    format_version: int = FORMAT_VERSION


class ShipState:
    """The file, read once and written whole at each step; threads may share it.

    Two processes that ship the same folder may set each other back, which sends spans twice and loses none.
    """

    def __init__(self, path: Path, known: Mapping[str, Acknowledged]) -> None:
        self._path = path
        self._known = dict(known)
        self._lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path) -> ShipState:
        """The state of `folder`; empty if it has none. Raises `InputError` if its file isn't what it should be."""
        path = folder / FILE_NAME
        if not path.exists():
            return cls(path, {})
        try:
            return cls(path, documents.read(path, _Document, version=FORMAT_VERSION).targets)
        except InputError as error:
            raise InputError(error.message, remedy=_REMEDY) from error

    def of(self, key: str) -> Acknowledged:
        """What the receiver `key` has acknowledged."""
        with self._lock:
            return self._known.get(key, NOTHING)

    def forget(self, key: str) -> None:
        """As if nothing had been sent to `key`; on disk with the next `reached`."""
        with self._lock:
            self._known.pop(key, None)

    def reached(
        self, key: str, places: Mapping[str, tuple[int, str]], *, accepted: int, rejected: int
    ) -> None:
        """`key` acknowledged all up to `places`. Raises `InputError` if that can't be written."""
        with self._lock:
            before = self._known.get(key, NOTHING)
            self._known[key] = Acknowledged(
                {name: offset for name, (offset, _) in places.items()},
                before.accepted + accepted,
                before.rejected + rejected,
                {name: mark for name, (_, mark) in places.items()},
            )
            documents.write(self._path, _Document(self._known))


@dataclass(frozen=True, slots=True)
class StoredBookmark:
    """The place of one receiver in a `ShipState`."""

    state: ShipState
    key: str

    @property
    def places(self) -> Mapping[str, tuple[int, str]]:
        """The end of what it has acknowledged of each journal file."""
        return self.state.of(self.key).places

    @property
    def accepted(self) -> int:
        """Spans that it accepted so far."""
        return self.state.of(self.key).accepted

    @property
    def rejected(self) -> int:
        """Spans that it refused so far."""
        return self.state.of(self.key).rejected

    def reached(self, places: Mapping[str, tuple[int, str]], *, accepted: int, rejected: int) -> None:
        """So far it has come. Raises `InputError` if that can't be written."""
        self.state.reached(self.key, places, accepted=accepted, rejected=rejected)
