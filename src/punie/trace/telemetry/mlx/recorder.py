"""All requests inside the server: which are active, and to which a peak of memory belongs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from punie.trace.telemetry.clock import Clock
from punie.trace.telemetry.mlx.attributes import Memory
from punie.trace.telemetry.mlx.request import RequestTrace, SpanSink


@dataclass(frozen=True, slots=True)
class MemoryProbe:
    """How to ask for memory. `reset_peak` starts the peak anew; `footprint_bytes` is the whole process's."""

    read: Callable[[], Memory]
    reset_peak: Callable[[], None]
    footprint_bytes: Callable[[], int]


class Recorder:
    """Begins and ends request traces; safe with threads."""

    def __init__(self, sink: SpanSink, memory: MemoryProbe) -> None:
        self._sink = sink
        self._memory = memory
        self._lock = threading.Lock()
        self._open: set[RequestTrace] = set()
        self._at_work: set[RequestTrace] = set()

    @property
    def clock(self) -> Clock:
        """The clock that the spans use."""
        return self._sink.clock

    def begin(self, headers: Mapping[str, str], path: str) -> RequestTrace:
        """A request came in."""
        request = RequestTrace(self._sink, headers, path)
        with self._lock:
            self._open.add(request)
        return request

    def work_begins(self, request: RequestTrace) -> None:
        """The server works on `request` from now on: a peak is its own only while no other is at work."""
        with self._lock:
            if not self._at_work:
                self._memory.reset_peak()
            self._at_work.add(request)
            for other in self._at_work:
                other.seen.concurrent = max(other.seen.concurrent, len(self._at_work))

    def work_ends(self, request: RequestTrace) -> None:
        """The last token of `request` is out."""
        with self._lock:
            self._at_work.discard(request)
        request.remember_memory(self._memory.read())

    def finish(self, request: RequestTrace) -> None:
        """The connection of `request` is done with, whatever came of it."""
        with self._lock:
            self._open.discard(request)
            self._at_work.discard(request)
        request.finish(self._memory.footprint_bytes)

    def finish_all(self, reason: BaseException) -> None:
        """The server ends: what is open ends with `reason`."""
        with self._lock:
            requests = list(self._open)
        for request in requests:
            request.failed(reason)
            self.finish(request)
