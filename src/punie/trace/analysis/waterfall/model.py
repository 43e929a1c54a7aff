"""One query as a waterfall: what every picture of it, in a terminal, in a page or in a profiler, is drawn from.

Times are integer nanoseconds since the query's start.

    rows      query   |------------------------------------------|
                agent     |----------------------------------|
                  chat       |------------| |------------|
    path              |q|-a--|----chat----|a|----chat----|-a-|-q-|     tiles the query: what it waited for
    stretches         |fr----|--model-----|f|--model-----|-fr----|     tile the query: the ledger, in order
    gaps              |------|            |-|            |-------|     nothing says what was done
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from punie.trace.analysis.calls.usage import TokenCounts
from punie.trace.analysis.ledger.ledger import Stretch
from punie.trace.analysis.path.critical_path import PathSection
from punie.trace.analysis.records import QueryRecord
from punie.trace.model import Phase, Provenance


class RowRole(StrEnum):
    """What a row of a waterfall is."""

    QUERY = "query"
    WORKFLOW = "workflow"
    AGENT = "agent"
    MODEL_CALL = "model call"
    TOOL = "tool"
    HTTP = "http"
    SERVER = "server"
    PHASE = "phase"
    """A span that says which phase it is: prefill, decode, parse, …"""
    OTHER = "other"


class TrackKind(StrEnum):
    """Where a span's work was done."""

    AGENT = "agent"
    HTTP_CLIENT = "HTTP client"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Track:
    """The rows of one kind in one process. `name` is the process's service name, empty where nobody gave one.

    `pid` and `host` are None and empty where the process doesn't report it. `lanes` is how many rows without a common
    ancestor in the track overlap at most.
    """

    kind: TrackKind
    name: str
    pid: int | None
    host: str
    lanes: int


@dataclass(frozen=True, slots=True)
class Row:
    """One span. Its window is cut to the query's; `is_cut` says that more of it lies outside.

    `parent` is the index of the row that it hangs below, -1 for the query itself; `depth` is 0 there. A span that lost
    its parent hangs below the query. `track` is an index of `Waterfall.tracks`; in one `lane` of a track windows are
    nested or apart. `self_ns` is what no row below covers. `is_detached`: it only follows another span, so nobody
    waited for it. `tokens` are None where the span isn't one that counts any, its fields None where it lacks them.
    `tool` is the name of the tool that a tool's call (or the parsing of its arguments) is of. `model` is the model that
    answered, of a model call or a server's request. `error` says why it failed, None if it didn't.
    `first_chunk_ns` is from a model call's start to its first chunk. `memory_bytes` is the server's footprint when
    the span ended.
    """

    trace_id: str
    span_id: str
    name: str
    role: RowRole
    phase: Phase
    provenance: Provenance
    parent: int
    depth: int
    start_ns: int
    end_ns: int
    self_ns: int
    track: int
    lane: int
    is_cut: bool = False
    is_detached: bool = False
    tokens: TokenCounts | None = None
    tool: str | None = None
    model: str | None = None
    error: str | None = None
    first_chunk_ns: int | None = None
    memory_bytes: int | None = None

    @property
    def duration_ns(self) -> int:
        """Of the row's window."""
        return self.end_ns - self.start_ns


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when, never empty."""

    start_ns: int
    end_ns: int

    @property
    def duration_ns(self) -> int:
        """Its length."""
        return self.end_ns - self.start_ns


@dataclass(frozen=True, slots=True)
class Waterfall:
    """One query, drawn: the query's own row first, below each row those that hang below it, by their start.

    `path` is the critical path, `PathSection.span` a row's index; `stretches` are the ledger in the order of time. Both
    tile the query. `gaps` are stretches of framework time in which no row without rows below it is open: nothing says
    what was done. `left_out` counts spans that repeat what a better source of the same request shows.
    """

    record: QueryRecord
    tracks: tuple[Track, ...]
    rows: tuple[Row, ...]
    path: tuple[PathSection, ...]
    stretches: tuple[Stretch, ...]
    gaps: tuple[Window, ...]
    left_out: int = 0

    @property
    def wall_ns(self) -> int:
        """Wall time of the query."""
        return self.record.wall_ns

    @property
    def contested(self) -> Iterator[Window]:
        """When two groups of phases were at work at once."""
        return (Window(at.start_ns, at.end_ns) for at in self.stretches if at.is_contested)

    def above(self, index: int) -> Iterator[int]:
        """The rows around the row at `index`, nearest first."""
        at = self.rows[index].parent
        while at >= 0:
            yield at
            at = self.rows[at].parent

    def path_ns(self) -> list[int]:
        """How long each row is on the critical path."""
        path_ns = [0] * len(self.rows)
        for piece in self.path:
            path_ns[piece.span] += piece.end_ns - piece.start_ns
        return path_ns

    def check(self) -> None:
        """Every nanosecond is drawn once. Raises AssertionError: that is a bug."""
        for name, pieces in (("critical path", self.path), ("ledger", self.stretches)):
            ends = [0, *(at for piece in pieces for at in (piece.start_ns, piece.end_ns)), self.wall_ns]
            if any(ends[at] != ends[at + 1] for at in range(0, len(ends), 2)):
                raise AssertionError(f"{name} doesn't tile the {self.wall_ns} ns of the query: {pieces}")
        self._check_rows()
        self._check_ledger()

    def _check_rows(self) -> None:
        for index, row in enumerate(self.rows):
            if not 0 <= row.start_ns <= row.end_ns <= self.wall_ns:
                raise AssertionError(f"row {index} isn't inside its query: {row}")
            depth = self.rows[row.parent].depth + 1 if row.parent >= 0 else 0
            if not -1 <= row.parent < index or row.depth != depth:
                raise AssertionError(f"row {index} doesn't hang below one before it: {row}")
        for one, other in pairwise(self.rows):
            if other.depth > one.depth + 1:
                raise AssertionError(f"a row's children don't come right after it: {other}")

    def _check_ledger(self) -> None:
        totals = dict.fromkeys(self.record.ledger.phases_ns, 0)
        contested = dict(totals)
        for at in self.stretches:
            totals[at.phase] += at.end_ns - at.start_ns
            contested[at.phase] += (at.end_ns - at.start_ns) * at.is_contested
        if totals != self.record.ledger.phases_ns or contested != self.record.ledger.contested_ns:
            raise AssertionError(f"the stretches of {self.record.query_id} don't sum to its ledger: {totals}")
