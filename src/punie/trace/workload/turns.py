"""Two runs that ask in turns: while one asks, or starts or stops its server, the other only waits.

A machine is faster in one minute than in the next. Two runs that are to be compared share that, query by query, if they
meet in a folder:

    a.lock, b.lock    held by a run for as long as it lives: the kernel lets go of it, however the run ends
    turn              one letter: whose turn it is

Files that earlier runs left are no run: only locks count, and any letter will do to begin with. A run that is left
alone holds both locks from then on, so nobody joins it in the middle.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from punie.trace.errors import CHECK_WRITABLE, TurnsError

_PLACES: Final = ("a", "b")
_LOOK_S: Final = 0.005  # between two looks at whose turn it is
_JOIN_S: Final = 0.2  # between two looks at whether the other run has come
_LOOKS_ALIVE: Final = 40  # looks at whose turn it is for each at whether the other run still lives
_PROBED_S: Final = 1.0  # a lock may be taken for an instant by a run that looks whether it is free


class Turns(Protocol):
    """What a run does around each of its steps."""

    async def take(self, *, for_query: bool = False) -> None:
        """Return when it is this run's turn; `for_query`: for a query, which should not be asked alone."""

    def pass_on(self) -> None:
        """It is the other run's turn."""


class NoTurns:
    """A run by itself: it is always its turn."""

    async def take(self, *, for_query: bool = False) -> None:
        """Return at once."""

    def pass_on(self) -> None:
        """Nobody waits."""


class SharedTurns:
    """A place among two runs in `folder`, which is made if need be. Raises `TurnsError` if both are taken."""

    def __init__(self, folder: Path, log: Callable[[str], object]) -> None:
        self._folder = folder
        self._log = log
        self._logged_alone = False
        self._others_lock: int | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock, self._mine = _lock_free_place(folder)
            self._turn = os.open(folder / "turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise TurnsError(f"--turns {folder}: {error.strerror or error}", remedy=CHECK_WRITABLE) from error
        self._other = _PLACES[1 - _PLACES.index(self._mine)]

    async def join(self, timeout_s: float) -> None:
        """Wait for the other run. Raises `TurnsError` if it doesn't come."""
        if not self._other_lives():
            self._log(f"waiting for the run that takes turns with this one: --turns {self._folder}")
        give_up_s = time.monotonic() + timeout_s
        while not self._other_lives():
            if time.monotonic() > give_up_s:
                raise TurnsError(
                    f"--turns {self._folder}: no other run came within {timeout_s:g} s",
                    remedy="start two runs with the same folder; --ready-timeout sets how long to wait",
                )
            await asyncio.sleep(_JOIN_S)

    async def take(self, *, for_query: bool = False) -> None:
        """Return when it is this run's turn, or when the other one is no more; says so once, if `for_query`."""
        looks = 0
        while not self._is_mine():
            if looks % _LOOKS_ALIVE == 0 and self._is_alone():
                break
            looks += 1
            await asyncio.sleep(_LOOK_S)
        if for_query and not self._logged_alone and self._is_alone():
            self._logged_alone = True
            self._log("the other run has ended: from here on this one asks alone")

    def pass_on(self) -> None:
        """It is the other run's turn."""
        os.pwrite(self._turn, self._other.encode(), 0)

    def close(self) -> None:
        """Leave, and pass the turn on."""
        self.pass_on()
        for file in (self._turn, self._lock, self._others_lock):
            if file is not None:
                os.close(file)

    def _is_mine(self) -> bool:
        letter = os.pread(self._turn, 1, 0).decode("ascii", "replace")
        return letter == self._mine or (letter not in _PLACES and self._mine == _PLACES[0])

    def _is_alone(self) -> bool:
        """Once the other run is gone, its lock is kept."""
        if self._others_lock is None:
            self._others_lock = _try_lock(self._folder / f"{self._other}.lock")
        return self._others_lock is not None

    def _other_lives(self) -> bool:
        lock = _try_lock(self._folder / f"{self._other}.lock")
        if lock is None:
            return True
        os.close(lock)
        return False


def _lock_free_place(folder: Path) -> tuple[int, str]:
    """The lock of a free place, and its letter."""
    give_up_s = time.monotonic() + _PROBED_S
    while time.monotonic() < give_up_s:
        for place in _PLACES:
            lock = _try_lock(folder / f"{place}.lock")
            if lock is not None:
                return lock, place
        time.sleep(_LOOK_S)
    raise TurnsError(
        f"--turns {folder}: two runs take turns there already, or one that is left of two",
        remedy="choose another folder, or wait until they have ended",
    )


def _try_lock(path: Path) -> int | None:
    """The file, locked until it is closed; None if somebody else holds it."""
    try:
        import fcntl  # not on Windows
    except ImportError:
        raise TurnsError(
            "--turns: this system has no locks that end with their process",
            remedy="ask one after the other, in several server starts",
        ) from None
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    except BaseException:
        os.close(file)
        raise
    return file
