"""The critical path over many queries, and what makes the slow ones slow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from punie.trace.analysis.path.query_paths import part_order
from punie.trace.analysis.records import PathPart, QueryPath, QueryRecord
from punie.trace.analysis.statistics.spread import P95_FROM, nearest_rank
from punie.trace.model import PHASES, Phase

_SLOW: Final = 95
_TYPICAL: Final = (40, 60)


class PhaseOnPath(msgspec.Struct, frozen=True):
    """One phase over several queries: `ns` on their critical paths, in the ledgers `ledger_ns`, `self_ns` at work."""

    phase: Phase
    ns: int
    share: float
    ledger_ns: int
    self_ns: int


class NameOnPath(msgspec.Struct, frozen=True):
    """The spans of one phase and name over several queries; `share` is of the wall time, `queries` have them on it."""

    part: PathPart
    share: float
    queries: int


class PhaseDifference(msgspec.Struct, frozen=True):
    """Mean nanoseconds of one phase of the critical path in the slow queries and in the typical ones."""

    phase: Phase
    slow_ns: int
    typical_ns: int

    @property
    def more_ns(self) -> int:
        """How much more the slow queries spent."""
        return self.slow_ns - self.typical_ns


class SlowQueries(msgspec.Struct, frozen=True):
    """The queries from the 95th percentile of the wall time up, against those around the median (40 to 60 %).

    By rank, so that queries which took equally long don't all become slow ones.

    `phases` has every phase of either, the largest difference first. Means are rounded to whole nanoseconds, so
    that sums may differ from the walls' in the last digits. `trace_ids` are the slow ones', the slowest first.
    """

    slow: int
    typical: int
    slow_wall_ns: int
    typical_wall_ns: int
    phases: tuple[PhaseDifference, ...]
    trace_ids: tuple[str, ...]


class PathSummary(msgspec.Struct, frozen=True):
    """The critical paths of several queries. `ns` of `phases`, as of `names`, sums to `wall_ns` exactly.

    `parallel_ns` is work beyond the wall time: done while something else was at work as well. `moved_ns` is how
    much of the wall time the paths give to another phase than the ledgers do. `slow` is None below 20 queries.
    """

    queries: int
    wall_ns: int
    parallel_ns: int
    moved_ns: int
    phases: tuple[PhaseOnPath, ...]
    names: tuple[NameOnPath, ...]
    slow: SlowQueries | None


class _Query(msgspec.Struct, frozen=True):
    record: QueryRecord
    path: QueryPath
    phases_ns: Mapping[Phase, int]


def summarise_paths(records: Sequence[QueryRecord]) -> PathSummary | None:
    """The paths of `records` together; None if there are none, or one has no path."""
    paths = [(record, record.critical_path) for record in records if record.critical_path is not None]
    queries = [_Query(record, path, path.phases_ns) for record, path in paths]
    if not queries or len(queries) < len(records):
        return None
    wall_ns = sum(query.path.wall_ns for query in queries)
    names = _names(queries, wall_ns)
    return PathSummary(
        queries=len(queries),
        wall_ns=wall_ns,
        parallel_ns=sum(query.path.parallel_ns for query in queries),
        moved_ns=sum(map(_moved_ns, queries)),
        phases=_phases(queries, names, wall_ns),
        names=names,
        slow=_slow(queries),
    )


def _moved_ns(query: _Query) -> int:
    ledger = query.record.ledger.phases_ns
    return sum([ns - ledger[phase] for phase, ns in query.phases_ns.items() if ns > ledger[phase]])


def _phases(queries: Sequence[_Query], names: Sequence[NameOnPath], wall_ns: int) -> tuple[PhaseOnPath, ...]:
    ledger_ns = dict.fromkeys(PHASES, 0)
    for query in queries:
        for phase, ns in query.record.ledger.phases_ns.items():
            ledger_ns[phase] += ns
    return tuple(_phase(phase, ledger_ns[phase], names, wall_ns) for phase in PHASES)


def _phase(phase: Phase, ledger_ns: int, names: Sequence[NameOnPath], wall_ns: int) -> PhaseOnPath:
    parts = [name.part for name in names if name.part.phase is phase]
    ns = sum(part.ns for part in parts)
    return PhaseOnPath(
        phase=phase,
        ns=ns,
        share=ns / wall_ns if wall_ns else 0.0,
        ledger_ns=ledger_ns,
        self_ns=sum(part.self_ns for part in parts),
    )


def _names(queries: Sequence[_Query], wall_ns: int) -> tuple[NameOnPath, ...]:
    totals: dict[tuple[Phase, str], list[int]] = {}
    for query in queries:
        for part in query.path.parts:
            total = totals.get((part.phase, part.name))
            if total is None:
                total = totals[part.phase, part.name] = [0, 0, 0, 0, 0]
            total[0] += part.ns
            total[1] += part.self_ns
            total[2] += part.on_path
            total[3] += part.spans
            total[4] += part.on_path > 0
    names = [
        NameOnPath(PathPart(phase, name, ns, *others), ns / wall_ns if wall_ns else 0.0, of_queries)
        for (phase, name), (ns, *others, of_queries) in totals.items()
    ]
    return tuple(sorted(names, key=lambda total: part_order(total.part)))


def _slow(queries: Sequence[_Query]) -> SlowQueries | None:
    if len(queries) < P95_FROM:
        return None
    ordered = sorted(queries, key=lambda query: (query.path.wall_ns, query.record.trace_id))
    low, high, from_place = (nearest_rank(len(ordered), percent) for percent in (*_TYPICAL, _SLOW))
    slow, typical = ordered[from_place:], ordered[low : high + 1]
    phases = [PhaseDifference(phase, _mean(slow, phase), _mean(typical, phase)) for phase in PHASES]
    return SlowQueries(
        slow=len(slow),
        typical=len(typical),
        slow_wall_ns=_mean(slow),
        typical_wall_ns=_mean(typical),
        phases=tuple(
            sorted(
                (p for p in phases if p.slow_ns or p.typical_ns), key=lambda p: abs(p.more_ns), reverse=True
            )
        ),
        trace_ids=tuple(query.record.trace_id for query in reversed(slow)),
    )


def _mean(queries: Sequence[_Query], phase: Phase | None = None) -> int:
    """Rounded to whole nanoseconds: of `phase`, or of the wall time."""
    times = [query.path.wall_ns if phase is None else query.phases_ns[phase] for query in queries]
    return (2 * sum(times) + len(times)) // (2 * len(times))
