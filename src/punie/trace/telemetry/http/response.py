"""Reads what an answer reports about its own making while its bytes pass: by its events, or by timings in its body.

The first bytes show what an answer is: not all servers and proxies name a stream of events as one.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

from opentelemetry.util.types import AttributeValue

from punie.trace.telemetry.http.body.formats import read_timings
from punie.trace.telemetry.http.body.placement import place, without_phase
from punie.trace.telemetry.http.body.timings import BodyTimings, later
from punie.trace.telemetry.http.stream.phases import stream_phases
from punie.trace.telemetry.http.stream.reader import StreamReader
from punie.trace.telemetry.http.timed_phase import TimedPhase

LARGEST_BODY: Final = 4 << 20
"""Bytes of a body, or of one of its lines, that are held to look for timings; a larger one isn't read."""

PIECES_AT_ONCE: Final = 32
"""Pieces of a stream that are kept until they are read together; at most so many wait when the last one comes."""

_LINES: Final = ("application/x-ndjson", "application/jsonl")
_PACKED: Final = ("gzip", "x-gzip", "deflate")
_EVENT_STARTS: Final = (b"data:", b":", b"event:", b"id:", b"retry:")
_LONGEST_START: Final = max(map(len, _EVENT_STARTS))
_EITHER_FORMAT: Final = 32  # zlib's own, or gzip's
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"  # with a byte order mark


class ResponseReader:
    """Reads nothing: the answer of a server that isn't a model's, or one that it can't look into."""

    _timings: BodyTimings | None = None

    def feed(self, chunk: bytes, now_ns: int) -> None:
        """The next piece of the body, as it came over the wire, and when."""

    def phases(self, start_ns: int, end_ns: int) -> tuple[TimedPhase, ...]:
        """What the server did, for a request that lasted from `start_ns` to `end_ns`."""
        return ()

    def without_phase(self) -> Mapping[str, AttributeValue]:
        """What the request's own span says, once the phases are read."""
        return {} if self._timings is None else without_phase(self._timings)

    @property
    def stream(self) -> StreamReader | None:
        """What its events so far say; None if it isn't a stream of events."""
        return None


class EventsReader(ResponseReader):
    """A stream of events: prefill and decode by their arrival, and by timings if one of them carries some.

    Pieces are kept with their times and read several at once: between two tokens the caches are somebody else's, and to
    read one piece alone takes ten times as long.
    """

    def __init__(self, headers_ns: int) -> None:
        self._stream = StreamReader(headers_ns, watch=self._look)
        self._unread: list[tuple[bytes, int]] = []

    def feed(self, chunk: bytes, now_ns: int) -> None:
        """The next piece of the body."""
        self._unread.append((chunk, now_ns))
        if len(self._unread) >= PIECES_AT_ONCE:
            self._catch_up()

    @property
    def stream(self) -> StreamReader:
        """What all pieces so far say."""
        self._catch_up()
        return self._stream

    def _catch_up(self) -> None:
        unread, self._unread = self._unread, []
        for chunk, at_ns in unread:
            self._stream.feed(chunk, at_ns)

    def phases(self, start_ns: int, end_ns: int) -> tuple[TimedPhase, ...]:
        """Both sources of phases, where there are two: the analysis chooses."""
        marks = self.stream.marks
        seen = stream_phases(marks)
        if self._timings is None:
            return seen
        return (*seen, *place(self._timings, start_ns, marks.end_ns or end_ns))

    def _look(self, event: bytes) -> None:
        self._timings = later(self._timings, read_timings(event))


class DocumentReader(ResponseReader):
    """A JSON body, or one of JSON lines, of which the last line that reports timings counts."""

    def __init__(self, *, by_line: bool) -> None:
        self._by_line = by_line
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes, now_ns: int) -> None:
        """The next piece of the body."""
        first, *others = chunk.split(b"\n") if self._by_line else [chunk]
        self._hold(first)
        for begun in others:
            self._look()
            self._hold(begun)

    def phases(self, start_ns: int, end_ns: int) -> tuple[TimedPhase, ...]:
        """The timings that the body reported, up to `end_ns`."""
        self._look()
        return () if self._timings is None else place(self._timings, start_ns, end_ns)

    def _hold(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= LARGEST_BODY:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def _look(self) -> None:
        body = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        self._timings = later(self._timings, read_timings(body))


class StartReader(ResponseReader):
    """Looks at how a body begins, and passes it to the reader that fits: events, or JSON."""

    def __init__(self, headers_ns: int, *, by_line: bool) -> None:
        self._headers_ns = headers_ns
        self._by_line = by_line
        self._start = b""
        self._reader: ResponseReader | None = None

    def feed(self, chunk: bytes, now_ns: int) -> None:
        """The next piece of the body."""
        if self._reader is not None:
            self._reader.feed(chunk, now_ns)
            return
        self._start = (self._start + chunk).lstrip(_BLANK)
        if len(self._start) >= _LONGEST_START or self._start[:1] in (b"{", b":"):
            self._reader = self._choose(self._start)
            self._reader.feed(self._start, now_ns)

    def phases(self, start_ns: int, end_ns: int) -> tuple[TimedPhase, ...]:
        """From the chosen reader."""
        return () if self._reader is None else self._reader.phases(start_ns, end_ns)

    def without_phase(self) -> Mapping[str, AttributeValue]:
        """From the chosen reader."""
        return {} if self._reader is None else self._reader.without_phase()

    @property
    def stream(self) -> StreamReader | None:
        """As above."""
        return None if self._reader is None else self._reader.stream

    def _choose(self, start: bytes) -> ResponseReader:
        if start.startswith(_EVENT_STARTS):
            return EventsReader(self._headers_ns)
        return DocumentReader(by_line=self._by_line) if start.startswith(b"{") else ResponseReader()


class PackedReader(ResponseReader):
    """Unpacks what another one reads. When events came shows only when the server packed some: there are no phases."""

    def __init__(self, inner: ResponseReader) -> None:
        self._inner = inner
        self._unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | _EITHER_FORMAT)

    def feed(self, chunk: bytes, now_ns: int) -> None:
        """The next piece of the body."""
        try:
            self._inner.feed(self._unpacker.decompress(chunk, LARGEST_BODY), now_ns)
        except zlib.error:  # not ours to judge: the caller gets the same bytes
            self._inner = ResponseReader()
        if self._unpacker.unconsumed_tail:  # more than an answer can be
            self._inner = ResponseReader()

    @property
    def stream(self) -> StreamReader | None:
        """As above."""
        return self._inner.stream


def reader_for(status: int, headers: Mapping[str, str], headers_ns: int) -> ResponseReader:
    """The reader for an answer whose headers arrived at `headers_ns`."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    packing = headers.get("content-encoding", "identity").strip().lower()
    if status >= 400 or packing not in ("identity", *_PACKED):
        return ResponseReader()
    reader = StartReader(headers_ns, by_line=kind in _LINES)
    return reader if packing == "identity" else PackedReader(reader)
