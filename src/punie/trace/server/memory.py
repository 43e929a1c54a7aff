"""How much memory a process and its children take at most: sampled from a thread."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Final, Self

import psutil

SAMPLE_S: Final = 0.05
_CHILDREN_EVERY: Final = 20  # finding children walks all processes of the machine: milliseconds


class MemorySource(StrEnum):
    """What was added up over the processes.

    `rss`: resident memory, shared pages counted in each process. `phys_footprint`: what macOS holds a process
    accountable for, the GPU's buffers and compressed pages included (Activity Monitor's "Memory").
    """

    RSS = "rss"
    PHYS_FOOTPRINT = "phys_footprint"


@dataclass(frozen=True, slots=True)
class MemoryUsage:
    """The largest sample, and of how many; a peak between two samples isn't seen. 0 samples: nothing is known."""

    peak_bytes: int
    source: MemorySource
    samples: int


Reader = Callable[[psutil.Process], int]


class MemorySampler:
    """Samples the process `pid` and its children every `interval_s` seconds inside `with`, or until it ends.

    A sample reads one figure a process (about 20 µs on Linux); children are looked up once a second.
    """

    def __init__(self, pid: int, *, interval_s: float = SAMPLE_S) -> None:
        self._pid = pid
        self._interval_s = interval_s
        self._source, self._read = footprint_reader()
        self._peak_bytes = 0
        self._samples = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory-sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()

    def usage(self) -> MemoryUsage:
        """What was seen so far."""
        return MemoryUsage(self._peak_bytes, self._source, self._samples)

    def _run(self) -> None:
        try:
            root = psutil.Process(self._pid)
            children: list[psutil.Process] = []
            while not self._ending.is_set():
                if self._samples % _CHILDREN_EVERY == 0:
                    children = root.children(recursive=True)
                total = self._read(root) + sum(_read_if_alive(self._read, child) for child in children)
                self._peak_bytes = max(self._peak_bytes, total)
                self._samples += 1
                self._ending.wait(self._interval_s)
        except psutil.Error:
            return  # the process ended, or was never ours: what was seen until then stands


def _read_if_alive(read: Reader, process: psutil.Process) -> int:
    try:
        return read(process)
    except psutil.Error:
        return 0


def footprint_reader() -> tuple[MemorySource, Reader]:
    """The best figure that this machine gives for a process's memory, and how to read it."""
    if sys.platform == "darwin":
        return MemorySource.PHYS_FOOTPRINT, read_phys_footprint
    return MemorySource.RSS, read_rss


def read_rss(process: psutil.Process) -> int:
    """Resident bytes."""
    rss: int = process.memory_info().rss
    return rss


class _RusageInfoV0(ctypes.Structure):
    """`struct rusage_info_v0` of macOS's <sys/resource.h>."""

    _fields_ = (
        ("ri_uuid", ctypes.c_uint8 * 16),
        ("ri_user_time", ctypes.c_uint64),
        ("ri_system_time", ctypes.c_uint64),
        ("ri_pkg_idle_wkups", ctypes.c_uint64),
        ("ri_interrupt_wkups", ctypes.c_uint64),
        ("ri_pageins", ctypes.c_uint64),
        ("ri_wired_size", ctypes.c_uint64),
        ("ri_resident_size", ctypes.c_uint64),
        ("ri_phys_footprint", ctypes.c_uint64),
        ("ri_proc_start_abstime", ctypes.c_uint64),
        ("ri_proc_exit_abstime", ctypes.c_uint64),
    )


def read_phys_footprint(process: psutil.Process) -> int:
    """Footprint in bytes by macOS's `proc_pid_rusage`; of processes of the same user."""
    info = _RusageInfoV0()
    if ctypes.CDLL(None).proc_pid_rusage(process.pid, 0, ctypes.byref(info)) != 0:
        raise psutil.NoSuchProcess(process.pid)
    return int(info.ri_phys_footprint)
