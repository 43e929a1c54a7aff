"""How much memory a process and its children take at most: sampled from a thread."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import psutil

from punie.trace.footprint import FootprintKind, Reader, footprint_reader

SAMPLE_S: Final = 0.05
_CHILDREN_EVERY: Final = 20  # finding children walks all processes of the machine: milliseconds


@dataclass(frozen=True, slots=True)
class MemoryUsage:
    """The largest sample, and of how many; a peak between two samples isn't seen. 0 samples: nothing is known."""

    peak_bytes: int
    source: FootprintKind
    samples: int


class MemorySampler:
    """Samples the process `pid` and its children every `interval_s` seconds inside `with`, or until it ends.

    `with_root` False counts the children alone, where the process itself is not what is measured.

    A sample reads one figure a process (about 20 µs on Linux); children are looked up once a second.
    """

    def __init__(self, pid: int, *, interval_s: float = SAMPLE_S, with_root: bool = True) -> None:
        self._pid = pid
        self._with_root = with_root
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
                own = self._read(root)  # raises when the process has ended, counted or not
                total = sum(_read_if_alive(self._read, child) for child in children)
                total += own if self._with_root else 0
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
