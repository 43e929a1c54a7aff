"""What the analysis knows of one query: the row that statistics, verdicts and reports read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from punie.trace.model import PHASES, PHASES_OF_GROUP, Disturbance, Group, Phase, Provenance

_Count = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
_INTERRUPTIONS: Final = frozenset({"KeyboardInterrupt", "CancelledError"})


class QueryLedger(msgspec.Struct, frozen=True):
    """The integer nanoseconds of every phase of one query.

    `phases_ns` has every `Phase` (0 where nothing was spent) and sums to `wall_ns` exactly.
    `contested_ns[p]` is the part of `phases_ns[p]` during which another group was at work as well.
    `provenance[p]` tells how the spans of a phase were known; empty where the phase has no time.
    """

    query_key: str
    start_ns: int
    wall_ns: int
    phases_ns: Mapping[Phase, int]
    contested_ns: Mapping[Phase, int]
    provenance: Mapping[Phase, tuple[Provenance, ...]]

    def group_ns(self, group: Group) -> int:
        """Nanoseconds of the phases of `group`."""
        return _sum(self.phases_ns, group)

    def group_contested_ns(self, group: Group) -> int:
        """The contested part of `group_ns`."""
        return _sum(self.contested_ns, group)

    def check(self) -> None:
        """Time is conserved: no gap, no overlap, nothing negative. Raises AssertionError: that is a bug."""
        if sum(self.phases_ns.values()) != self.wall_ns:
            raise AssertionError(
                f"ledger of {self.query_key}: phases don't sum to {self.wall_ns} ns: {self.phases_ns}"
            )
        contested_ns = self.contested_ns if any(self.contested_ns.values()) else {}
        if not contested_ns and min(self.phases_ns.values(), default=0) >= 0:
            return
        for phase, ns in self.phases_ns.items():
            if not 0 <= contested_ns.get(phase, 0) <= ns:
                raise AssertionError(
                    f"ledger of {self.query_key}: {phase} has {ns} ns, contested {self.contested_ns}"
                )


def _sum(phases_ns: Mapping[Phase, int], group: Group) -> int:
    return sum([phases_ns.get(phase, 0) for phase in PHASES_OF_GROUP[group]])


class PathPart(msgspec.Struct, frozen=True, gc=False):
    """What the spans of one phase and name are to a query's critical path.

    `ns` is what of the path is theirs, `self_ns` how long they were at work themselves, on the path or beside it.
    `on_path` of these `spans` are on it.
    """

    phase: Phase
    name: str
    ns: int
    self_ns: int
    on_path: int
    spans: int


class QueryPath(msgspec.Struct, frozen=True):
    """The critical path of one query: `ns` of its parts, the largest first, sums to `wall_ns` exactly."""

    wall_ns: int
    parts: tuple[PathPart, ...]

    @property
    def phases_ns(self) -> Mapping[Phase, int]:
        """Nanoseconds of the path by phase: every phase, 0 where none is."""
        totals = dict.fromkeys(PHASES, 0)
        for part in self.parts:
            totals[part.phase] += part.ns
        return totals

    @property
    def parallel_ns(self) -> int:
        """Work beyond the wall time: what was done while something else was at work as well."""
        return sum([part.self_ns for part in self.parts]) - self.wall_ns

    def check(self) -> None:
        """Time is conserved: the path is as long as the query. Raises AssertionError: that is a bug."""
        if sum([part.ns for part in self.parts]) != self.wall_ns or self.parallel_ns < 0:
            raise AssertionError(f"critical path doesn't tile {self.wall_ns} ns: {self.parts}")


class QueryRecord(msgspec.Struct, frozen=True):
    """One asked query with its ledger and what its spans say of it.

    `ok` is the strict score: True or False where the span carries one, None where nobody scored it (a trace
    that someone else recorded). `failures` are the score's slugs, `failure_details` a sentence for each.
    `error` is what ended the query early, `conversation` the one that its root names, `disturbed_by` what an
    earlier query left running beside it. Token counts are None where any model request of the query lacks its
    usage, and no call around it tells the sum. `time_to_first_chunk_ns` has one entry a model request that tells
    it. `truncated` counts model requests that ended by their token limit. `network_known` is False where a model
    request has no server span below it: its transit is not known. `critical_path` is None where nobody asked for
    it. `server_start` counts over all runs of the source, `start_in_run` is the run's own count. `is_cached_repeat`
    is a query that was asked before in its server start and found more in the prompt cache then.
    """

    query_id: str
    trace_id: str
    ledger: QueryLedger
    warmup: bool = False
    repeat: int = 0
    server_start: int = 0
    run_id: str | None = None
    start_in_run: int = 0
    position: int = 0
    expected: str | None = None
    ok: bool | None = None
    failures: tuple[str, ...] = ()
    failure_details: tuple[str, ...] = ()
    error: str | None = None
    conversation: str | None = None
    disturbed_by: Disturbance | None = None
    cache: str | None = None
    model_requests: int = 0
    tool_calls: int = 0
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    time_to_first_chunk_ns: tuple[int, ...] = ()
    truncated: int = 0
    network_known: bool = False
    critical_path: QueryPath | None = None
    is_cached_repeat: bool = False

    @property
    def succeeded(self) -> bool:
        """Not warm-up, no error, not scored as wrong, and disturbed by nothing."""
        return not self.failed and not self.warmup and self.disturbed_by is None

    @property
    def failed(self) -> bool:
        """Ended in an error or scored as wrong: a right answer that was disturbed hasn't failed."""
        return self.error is not None or self.ok is False

    @property
    def counts(self) -> bool:
        """Counts in averages and verdicts on time: succeeded, and asked for the first time."""
        return self.succeeded and not self.is_cached_repeat

    @property
    def interrupted(self) -> bool:
        """Whether somebody ended it from outside: no answer, and so no wrong one."""
        return self.error is not None and self.error.partition(":")[0] in _INTERRUPTIONS

    @property
    def wall_ns(self) -> int:
        """Wall time of the query, from its root span."""
        return self.ledger.wall_ns


class PlannedQuery(msgspec.Struct, frozen=True):
    """One query that a run meant to ask: which, in which repeat and server start, at which place (all from 0)."""

    query_id: str
    repeat: _Count
    server_start: _Count
    position: _Count
