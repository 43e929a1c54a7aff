"""A journal in batches of spans that may leave."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from punie.trace.telemetry.shipping.content import ContentPolicy
from punie.trace.telemetry.shipping.outgoing import OutgoingSpan, read_line
from punie.trace.telemetry.shipping.tail import JournalTail, Place

_BATCH_LINES: Final = 256
_BATCH_BYTES: Final = 1 << 20  # of the journal; receivers take 4 MiB over gRPC by default
_MOST_UNWRITTEN: Final = 10_000  # lines; the oldest go first, and are held by the journal all the same


@dataclass(frozen=True, slots=True)
class Batch:
    """Spans to send, how many lines they are from, what in these is no span, and where in the journals they end."""

    spans: Sequence[OutgoingSpan]
    lines: int
    unreadable: int
    places: Mapping[str, Place]


class BatchReader:
    """Batches of a folder of journals, from `start` on."""

    def __init__(self, spans_dir: Path, start: Mapping[str, Place], policy: ContentPolicy) -> None:
        self._spans_dir = spans_dir
        self._start = dict(start)
        self._policy = policy
        self._tail = JournalTail(spans_dir, start)
        self._unwritten: deque[bytes] = deque(maxlen=_MOST_UNWRITTEN)
        self.torn_lines = self._tail.torn_lines

    def batches(self) -> Iterator[Batch]:
        """What is there now, in batches of whole lines; before it what the disk didn't take."""
        for lines in _grouped(self._taken()):
            yield replace(self._batch(lines), lines=0)
        for lines in _grouped(self._tail.lines()):
            yield self._batch(lines)

    def take(self, line: bytes) -> None:
        """A line that couldn't be written, from any thread."""
        self._unwritten.append(line)

    def held_lines(self) -> int:
        """How many whole lines there are from the start on, counted anew."""
        return sum(1 for _ in JournalTail(self._spans_dir, self._start).lines())

    def waiting_lines(self) -> int:
        """How many lines that couldn't be written are not in a batch yet."""
        return len(self._unwritten)

    def changed(self) -> tuple[str, ...]:
        """As the tail's."""
        return self._tail.changed()

    def _taken(self) -> Iterator[bytes]:
        while self._unwritten:
            yield self._unwritten.popleft()

    def _batch(self, lines: Sequence[bytes]) -> Batch:
        read = [read_line(line, self._policy) for line in lines]
        spans = tuple(span for line in read for span in line.spans)
        return Batch(spans, len(lines), sum(line.unreadable for line in read), self._tail.places())


def _grouped(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """As many at once as a receiver takes."""
    group: list[bytes] = []
    size = 0
    for line in lines:
        group.append(line)
        size += len(line)
        if len(group) == _BATCH_LINES or size >= _BATCH_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group
