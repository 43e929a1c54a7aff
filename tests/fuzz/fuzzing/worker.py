"""A process that tries inputs one after the other, held to time and memory, so that a bad one ends nothing but it.

Each input follows from the campaign's seed and its own number alone. Before it is tried its number is written where
the parent can read it: should the process be killed, its parent knows for which.
"""

from __future__ import annotations

import gc
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import c_int64
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from types import FrameType
from typing import Final

from fuzzing.kinds import KINDS, choose, take
from fuzzing.oracle import Broken

CPU_LIMIT_S: Final = 2.0
"""Processor time of one input: a busy machine makes nothing slower that way."""
MEMORY_LIMIT_BYTES: Final = 500 << 20
"""Address space of a batch of inputs, over what the process has before it with all its modules."""
BATCH: Final = 250
"""Inputs whose counts are sent to the parent together."""
_IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 # a file system without a disk, where there is one
_OURS: Final = "punie/trace/"


class TooLong(BaseException):  # no error that a handler of errors may take
    """An input took more processor time than it may."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One input and what came of it; `fault` is empty where all is well, else what went wrong and where."""

    number: int
    kind: str
    result: str
    fault: str = ""
    content: bytes = b""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """How often each kind came to each result, and the inputs that failed."""

    results: Counter[tuple[str, str]]
    faults: Sequence[Tried]


def make(seed: int, number: int, only: str | None = None) -> tuple[str, bytes]:
    """The kind and the content of input `number` of the campaign `seed`, or of its campaign of one kind `only`."""
    random = Random(f"{seed} {number}")  # noqa: S311 # to be repeated, not to be secret
    kind = only or choose(random)
    while True:
        try:
            return kind, KINDS[kind].make(random)
        except (RecursionError, MemoryError):  # damage upon damage: deeper or larger than can be written
            continue


def try_input(number: int, kind: str, content: bytes, folder: Path) -> Tried:
    """Hand it to the program, within its limits, and look at what it makes in every format."""
    with limited():
        return _try(number, kind, content, folder, None)


def _try(number: int, kind: str, content: bytes, folder: Path, pick: int | None) -> Tried:
    """`pick` chooses the formats of its report; None for all of them."""
    try:
        signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT_S)
        try:
            result = take(kind, content, folder, pick)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    except MemoryError:
        return Tried(number, kind, "fault", f"MemoryError over {MEMORY_LIMIT_BYTES >> 20} MB", content)
    except (Exception, TooLong, SystemExit) as error:  # noqa: BLE001 # whatever it is, it is a fault
        return Tried(
            number, kind, "fault", signature(error), content, "".join(traceback.format_exception(error))
        )
    return Tried(number, kind, result)


@contextmanager
def limited() -> Iterator[None]:
    """Memory of what runs inside, and who answers when an input's time is over."""
    present = _address_space_bytes() + MEMORY_LIMIT_BYTES
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (present, before[1]))
    previous = signal.signal(signal.SIGPROF, _end_it)
    try:
        yield
    finally:
        signal.signal(signal.SIGPROF, previous)
        resource.setrlimit(resource.RLIMIT_AS, before)


def _end_it(_number: int, _frame: FrameType | None) -> None:
    raise TooLong(f"more than {CPU_LIMIT_S} s of processor time")


def _address_space_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:  # macOS, which doesn't hold to this limit anyway
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages * resource.getpagesize()


def signature(error: BaseException) -> str:
    """The error's type and where in our code it came up, of a broken property its words: equal for the same fault."""
    if isinstance(error, Broken):
        words = "".join("0" if character.isdigit() else character for character in str(error)[:60])
        return f"Broken: {' '.join(words.split())}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _OURS in frame.filename]
    where = f"{frames[-1].filename.rpartition(_OURS)[2]}:{frames[-1].name}" if frames else "outside"
    return f"{type(error).__name__} at {where.partition(':')[0] if isinstance(error, TooLong) else where}"


def run_worker(
    seed: int, numbers: range, only: str | None, until_s: float, at: c_int64, pipe: Connection
) -> None:
    """Try inputs `numbers` until the clock shows `until_s`; `at` is the one being tried, the pipe gets batches."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    sys.setrecursionlimit(1_000)
    for kind in KINDS.values():  # material and modules are there before memory is limited
        kind.make(Random(0))  # noqa: S311 # as above
    gc.freeze()
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None) as name:
        for first in range(0, len(numbers), BATCH):
            if time.monotonic() > until_s:
                break
            pipe.send(_batch(seed, numbers[first : first + BATCH], only, at, Path(name)))
    pipe.send(None)


def _batch(seed: int, numbers: range, only: str | None, at: c_int64, folder: Path) -> Batch:
    batch = Batch(Counter(), [])
    faults = []
    with limited():
        for number in numbers:
            at.value = number
            tried = _try(number, *make(seed, number, only), folder, number)
            batch.results[tried.kind, tried.result] += 1
            if tried.fault:
                faults.append(tried)
            _empty(folder)
    return Batch(batch.results, faults)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
