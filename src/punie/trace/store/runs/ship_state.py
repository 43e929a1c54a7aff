"""How far each receiver has acknowledged a folder of journals: a small file beside them.

Format versions: 1, the first.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from punie.trace.errors import InputError
from punie.trace.store.files.whole_file import write_whole

FILE_NAME: Final = ".shipped.json"  # hidden, so that no reader of a folder of spans takes it for spans
FORMAT_VERSION: Final = 1
_REMEDY: Final = "Delete it: then everything is sent again, and readers drop what they have twice."


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What one receiver has: bytes of each journal file, by its name, and spans."""

    positions: Mapping[str, int]
    accepted: int = 0
    rejected: int = 0


NOTHING: Final = Acknowledged({})


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
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return cls(path, {})
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: can't be read: {error}") from error
        return cls(path, _decode(text, path))

    def of(self, key: str) -> Acknowledged:
        """What the receiver `key` has acknowledged."""
        with self._lock:
            return self._known.get(key, NOTHING)

    def forget(self, key: str) -> None:
        """As if nothing had been sent to `key`; on disk with the next `reached`."""
        with self._lock:
            self._known.pop(key, None)

    def reached(self, key: str, positions: Mapping[str, int], *, accepted: int, rejected: int) -> None:
        """`key` acknowledged all up to `positions`. Raises `InputError` if that can't be written."""
        with self._lock:
            before = self._known.get(key, NOTHING)
            self._known[key] = replace(
                before,
                positions=dict(positions),
                accepted=before.accepted + accepted,
                rejected=before.rejected + rejected,
            )
            write_whole(self._path, _encode(self._known))


@dataclass(frozen=True, slots=True)
class KeptBookmark:
    """The place of one receiver in a `ShipState`."""

    state: ShipState
    key: str

    @property
    def positions(self) -> Mapping[str, int]:
        """Bytes of each journal file that it has acknowledged."""
        return self.state.of(self.key).positions

    @property
    def accepted(self) -> int:
        """Spans that it accepted so far."""
        return self.state.of(self.key).accepted

    @property
    def rejected(self) -> int:
        """Spans that it refused so far."""
        return self.state.of(self.key).rejected

    def reached(self, positions: Mapping[str, int], *, accepted: int, rejected: int) -> None:
        """So far it has come. Raises `InputError` if that can't be written."""
        self.state.reached(self.key, positions, accepted=accepted, rejected=rejected)


def _encode(known: Mapping[str, Acknowledged]) -> str:
    targets = {
        key: {"accepted": item.accepted, "rejected": item.rejected, "bytes": dict(item.positions)}
        for key, item in sorted(known.items())
    }
    return json.dumps({"format_version": FORMAT_VERSION, "targets": targets}, indent=2) + "\n"


def _decode(text: str, path: Path) -> dict[str, Acknowledged]:
    try:
        raw = json.loads(text)
        version = raw["format_version"]
        known = {str(key): _acknowledged(item) for key, item in raw["targets"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: not a record of what was sent: {error}",
            remedy=_REMEDY,
        ) from error
    if version != FORMAT_VERSION:
        raise InputError(
            f"{path}: format_version {version}, and this punie-trace reads {FORMAT_VERSION}", remedy=_REMEDY
        )
    return known


def _acknowledged(item: dict[str, Any]) -> Acknowledged:
    positions = {str(name): int(offset) for name, offset in item["bytes"].items()}
    if any(offset < 0 for offset in positions.values()):
        raise ValueError("a position below zero")
    return Acknowledged(positions, int(item["accepted"]), int(item["rejected"]))
