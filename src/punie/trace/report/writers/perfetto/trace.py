"""The queries of a report as a Perfetto trace, for https://ui.perfetto.dev: `TrackEvent` protobuf, in nanoseconds.

A process each for the agent, its HTTP connections and the server; a track a lane, so that what ran in parallel lies
side by side; the critical path on tracks of its own; flows from a request to the server that answered it; counters of
the server's memory and of its tokens per second (a span's tokens over its duration, summed over what ran at once).
Prompts and answers are not in it.

Process ids are made up, since an agent and its connections are one process; the real one is in the name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from punie.trace.analysis.waterfall.lanes import lanes
from punie.trace.analysis.waterfall.model import RowRole, TrackKind
from punie.trace.model import Phase
from punie.trace.report.inert import one_line
from punie.trace.report.writers.perfetto import messages
from punie.trace.units import NS_PER_S

if TYPE_CHECKING:
    from punie.trace.analysis.waterfall.model import Row, Track, Waterfall
    from punie.trace.report.document import Document
    from punie.trace.report.page import Page

Event = tuple[int, bytes]
"""When, and the packet."""
Notes = list[tuple[str, str | int]]
_PATH: Final = "critical path"


def write(document: Document, page: Page) -> bytes:
    """All queries, warm-up among them, one after another or side by side, as they were."""
    tracks = _Tracks()
    events: list[Event] = []
    rates: dict[int, Counter[int]] = {}  # by track and time: by how many tokens per second it goes up or down
    if document.drawings is not None:
        records = document.drawings.records
        windows = [(one.ledger.start_ns, one.ledger.start_ns + one.wall_ns) for one in records]
        slots = lanes(windows, [-1] * len(windows), [0] * len(windows))
        for slot, waterfall in zip(slots, document.drawings.draw(records), strict=True):
            query = _Query(waterfall, slot, tracks)
            events += query.events()
            for track, start_ns, end_ns, rate in query.rates():
                changes = rates.setdefault(track, Counter())
                changes[start_ns] += rate
                changes[end_ns] -= rate
    events += _running_sums(rates)
    events.sort(key=lambda event: event[0])  # stable: what begins or ends at one time stays in its order
    return b"".join([*tracks.packets, *(packet for _, packet in events)])


def _running_sums(changes: Mapping[int, Mapping[int, int]]) -> Iterator[Event]:
    for track, of_track in changes.items():
        value = 0
        for time_ns, change in sorted(of_track.items()):
            value += change
            yield time_ns, messages.counter_value(time_ns, track, value)


class _Tracks:
    """The tracks that were needed so far, each described once, before what happens on it."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.flows = 0
        self._uuids: dict[tuple[str | int, ...], int] = {}
        self._processes = 0

    def lane(self, process: str, name: str, slot: int, lane: int) -> int:
        """`slot` counts queries that were asked at one time."""
        above = self._process(process)
        return self._track((process, slot, lane), lambda uuid: messages.lane_track(uuid, above, name))

    def counter(self, process: str, name: str, unit: messages.CounterUnit) -> int:
        """A counter of a process."""
        above = self._process(process)
        return self._track((process, name), lambda uuid: messages.counter_track(uuid, above, name, unit))

    def flow(self) -> int:
        """The id of a new flow."""
        self.flows += 1
        return self.flows

    def _process(self, name: str) -> int:
        if (name,) not in self._uuids:
            self._processes += 1
        return self._track((name,), lambda uuid: messages.process_track(uuid, self._processes, name))

    def _track(self, key: tuple[str | int, ...], describe: Callable[[int], bytes]) -> int:
        if key not in self._uuids:
            self._uuids[key] = len(self._uuids) + 1
            self.packets.append(describe(self._uuids[key]))
        return self._uuids[key]


class _Query:
    """The events of one query."""

    def __init__(self, waterfall: Waterfall, slot: int, tracks: _Tracks) -> None:
        self._drawn, self._slot, self._tracks = waterfall, slot, tracks
        self._began_ns = waterfall.record.ledger.start_ns
        self._flows = self._requests()

    def events(self) -> Iterator[Event]:
        """On each track in the order of time."""
        by_lane: dict[tuple[int, int], list[int]] = {}
        for index, row in enumerate(self._drawn.rows):
            by_lane.setdefault((row.track, row.lane), []).append(index)
        for (track, lane), rows in by_lane.items():
            yield from self._lane(self._drawn.tracks[track], lane, rows)
        yield from self._path()
        for row in self._drawn.rows:
            yield from self._memory(row)

    def _lane(self, track: Track, lane: int, rows: list[int]) -> Iterator[Event]:
        process = process_name(track)
        uuid = self._tracks.lane(process, track.kind.value, self._slot, lane)
        drawn = self._drawn.rows
        open_rows: list[int] = []
        for index in sorted(rows, key=lambda at: (drawn[at].start_ns, -drawn[at].end_ns, at)):
            row = drawn[index]
            while open_rows and drawn[open_rows[-1]].end_ns <= row.start_ns:
                yield self._end(drawn[open_rows.pop()].end_ns, uuid)
            yield self._begin(index, uuid)
            open_rows.append(index)
        while open_rows:
            yield self._end(drawn[open_rows.pop()].end_ns, uuid)

    def _begin(self, index: int, uuid: int) -> Event:
        row = self._drawn.rows[index]
        time_ns = self._began_ns + row.start_ns
        leaving, arriving = self._flows.get(index, (0, 0))
        notes = self._notes(row, is_root=row.parent < 0)
        packet = messages.slice_begin(
            time_ns, uuid, _name(row), row.phase.value, notes, flow_from=leaving, flow_to=arriving
        )
        return time_ns, packet

    def _end(self, time_ns: int, uuid: int) -> Event:
        return self._began_ns + time_ns, messages.slice_end(self._began_ns + time_ns, uuid)

    def _notes(self, row: Row, *, is_root: bool) -> Notes:
        notes: Notes = [("trace id", one_line(row.trace_id)), ("span id", one_line(row.span_id))]
        notes += [("query", one_line(self._drawn.record.query_id))] if is_root else []
        tokens = row.tokens
        counts = (tokens.input, tokens.cached, tokens.output) if tokens else ()
        names = ("prompt tokens", "cached tokens", "output tokens")
        notes += [(name, count) for name, count in zip(names, counts, strict=False) if count is not None]
        words = (("tool", row.tool), ("model", row.model), ("error", row.error))
        notes += [(name, one_line(text)) for name, text in words if text]
        return [*notes, ("known from", row.provenance.value)]

    def _requests(self) -> dict[int, tuple[int, int]]:
        """Flows by row, the one that leaves and the one that ends: from each request to the server that answered."""
        flows: dict[int, tuple[int, int]] = {}
        for index, row in enumerate(self._drawn.rows):
            above = row.parent
            if row.role is RowRole.SERVER and above >= 0 and self._drawn.rows[above].role is RowRole.HTTP:
                flow = self._tracks.flow()
                flows[above] = (flow, flows.get(above, (0, 0))[1])
                flows[index] = (flows.get(index, (0, 0))[0], flow)
        return flows

    def _path(self) -> Iterator[Event]:
        uuid = self._tracks.lane(_PATH, _PATH, self._slot, 0)
        for piece in self._drawn.path:
            row = self._drawn.rows[piece.span]
            time_ns = self._began_ns + piece.start_ns
            yield time_ns, messages.slice_begin(time_ns, uuid, _name(row), row.phase.value)
            yield self._end(piece.end_ns, uuid)

    def _memory(self, row: Row) -> Iterator[Event]:
        if row.memory_bytes is not None:
            process = process_name(self._drawn.tracks[row.track])
            uuid = self._tracks.counter(process, "memory", messages.CounterUnit.BYTES)
            time_ns = self._began_ns + row.end_ns
            yield time_ns, messages.counter_value(time_ns, uuid, row.memory_bytes)

    def rates(self) -> Iterator[tuple[int, int, int, int]]:
        """Counters of tokens per second, from when to when, and how many."""
        for row in self._drawn.rows:
            tokens = _tokens_of(row)
            if tokens is not None and row.duration_ns:
                process, name = process_name(self._drawn.tracks[row.track]), f"{row.phase.value} tokens/s"
                uuid = self._tracks.counter(process, name, messages.CounterUnit.COUNT)
                rate = round(tokens * NS_PER_S / row.duration_ns)
                yield uuid, self._began_ns + row.start_ns, self._began_ns + row.end_ns, rate


def _tokens_of(row: Row) -> int | None:
    """The tokens that a phase worked on: written by decode, read by prefill (none of them from the cache)."""
    if row.role is not RowRole.PHASE or row.tokens is None:
        return None
    if row.phase is Phase.DECODE:
        return row.tokens.output
    if row.phase is Phase.PREFILL and None not in (row.tokens.input, row.tokens.cached):
        return (row.tokens.input or 0) - (row.tokens.cached or 0)
    return None


def process_name(track: Track) -> str:
    """`agent`, `HTTP client of agent`, `server mlx_lm`, with what distinguishes processes of one name."""
    own = one_line(track.name)
    match track.kind:
        case TrackKind.AGENT:
            name = own or "agent"
        case TrackKind.HTTP_CLIENT:
            name = f"HTTP client of {own or 'agent'}"
        case TrackKind.SERVER:
            name = f"server {own}".rstrip()
    where = (f"pid {track.pid}" if track.pid is not None else "", one_line(track.host))
    place = ", ".join(filter(None, where))
    return f"{name} ({place})" if place else name


def _name(row: Row) -> str:
    return one_line(row.name) or "(no name)"
