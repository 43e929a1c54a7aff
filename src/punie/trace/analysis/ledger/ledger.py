"""The ledger: which phase each nanosecond of a query belongs to. This sweep is its definition.

Every instant belongs to the first open phase, in the order of `Phase`:

    framework |---------------- query ----------------|
    http         |------------ POST -------------|
    serve           |-------- request --------|
    decode              |------- decode ------|
                  f  h s           d          h     f

An instant is contested while a span of another group than the winner's is at work itself: open, with no open child.
Where one thing was done after another (`in_turn`), the same follows from self times, without a sweep.
ClickHouse computes the same in SQL where the spans lie (`store/clickhouse`); tests hold it to this sweep.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from punie.trace.analysis.ledger.in_turn import InTurn, QuerySpans, by_query
from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.analysis.records import QueryLedger
from punie.trace.model import PHASE_GROUP, PHASE_RANK, PHASES, Group, Phase, Provenance

_GROUPS: Final = tuple(Group)
_GROUP_OF_RANK: Final = tuple(_GROUPS.index(PHASE_GROUP[phase]) for phase in PHASES)
_NO_PARENT: Final = -1
_BITS: Final = 32  # no query has more spans open at once
_COUNT: Final = (1 << _BITS) - 1
_ONE_OF_PHASE: Final = tuple(1 << _BITS * rank for rank in range(len(PHASES)))
_ONE_OF_GROUP: Final = tuple(1 << _BITS * group for group in _GROUP_OF_RANK)

_NOTHING: Final[Mapping[Phase, int]] = MappingProxyType(dict.fromkeys(PHASES, 0))
_Sums = Sequence[int]
_Seen = set[tuple[Phase, Provenance]]
_Lasted = Mapping[tuple[int, int], int]
"""Nanoseconds by how many spans of each phase were open, and of each group at work themselves (counts side by side)."""


class _Cut(msgspec.Struct, frozen=True, gc=False):
    """A span cut to its query's window, never empty."""

    span: PhasedSpan
    rank: int
    start_ns: int
    end_ns: int


class Stretch(NamedTuple):
    """A part of a query's time, never empty, that belongs to one phase, all of it contested or none of it."""

    phase: Phase
    start_ns: int
    end_ns: int
    is_contested: bool


def compute_ledgers(spans: Iterable[PhasedSpan]) -> tuple[QueryLedger, ...]:
    """One checked ledger a query, in the order of their start. A query without its root span has none."""
    return ledgers_of(by_query(spans))


def ledgers_of(queries: Iterable[QuerySpans]) -> tuple[QueryLedger, ...]:
    """As `compute_ledgers`, of spans by query."""
    ledgers = [ledger for query in queries for ledger in _ledgers(query)]
    if len(ledgers) > 1:
        ledgers.sort(key=lambda ledger: (ledger.start_ns, ledger.query_key))
    return tuple(ledgers)


def _without_copies(spans: Sequence[PhasedSpan]) -> Sequence[PhasedSpan]:
    """One span an id: the longest of its copies; the rest only makes the choice independent of the order."""
    if len({span.span_id for span in spans}) == len(spans):
        return spans
    unique: dict[tuple[str, str], PhasedSpan] = {}
    for span in spans:
        other = unique.setdefault((span.trace_id, span.span_id), span)
        if other is not span and _preference(span) < _preference(other):
            unique[span.trace_id, span.span_id] = span
    return tuple(unique.values())


def _preference(span: PhasedSpan) -> tuple[int, int, int, str, str]:
    return (
        span.start_ns - span.end_ns,
        span.start_ns,
        PHASE_RANK[span.phase],
        span.provenance,
        span.parent_id or "",
    )


def _ledgers(query: QuerySpans) -> Iterator[QueryLedger]:
    if query.in_turn is not None:
        yield _checked(query.spans[0], *_of_self_times(query.spans, query.in_turn))
        return
    spans = _without_copies(query.spans)
    for root in [span for span in spans if span.is_root]:
        cut = _cut(spans, root)
        yield _checked(root, {(one.span.phase, one.span.provenance) for one in cut}, *_sums(_lasted(cut)))


def _of_self_times(spans: Sequence[PhasedSpan], turns: InTurn) -> tuple[_Seen, _Sums, _Sums]:
    """Every instant of a span's self time belongs to the first phase of itself and its ancestors."""
    phases_ns, contested_ns = [0] * len(PHASES), [0] * len(PHASES)
    owners: list[int] = []
    seen: _Seen = set()
    in_clusters = {place for cluster in turns.clusters for place in cluster.members}
    for place, (span, parent, ns) in enumerate(zip(spans, turns.parents, turns.self_ns, strict=True)):
        rank = owner = PHASE_RANK[span.phase]
        if parent != _NO_PARENT and owners[parent] < rank:
            owner = owners[parent]
        owners.append(owner)
        if span.start_ns < span.end_ns:
            seen.add((span.phase, span.provenance))
            if place in in_clusters:
                continue
            phases_ns[owner] += ns
            if _GROUP_OF_RANK[owner] != _GROUP_OF_RANK[rank]:
                contested_ns[owner] += ns
    for cluster in turns.clusters:
        cut = _cut([spans[place] for place in cluster.members], spans[0])
        _add_sums(_lasted(cut), phases_ns, contested_ns, around=_ONE_OF_PHASE[owners[cluster.parent]])
    return seen, phases_ns, contested_ns


def stretches(spans: Sequence[PhasedSpan]) -> Iterator[Stretch]:
    """The ledger of one query in the order of time: its stretches tile the window of its only root.

    Neighbours differ in phase or in whether they are contested. Times are since the epoch.
    """
    root = next(span for span in spans if span.is_root)
    cut = _cut(spans, root)
    at: Stretch | None = None
    for start_ns, end_ns, opened, working in _sweep(cut):
        rank, is_contested = _owner(opened, working)
        phase = PHASES[rank]
        if at is not None and (at.phase, at.is_contested) == (phase, is_contested):
            at = at._replace(end_ns=end_ns)
            continue
        if at is not None:
            yield at
        at = Stretch(phase, start_ns, end_ns, is_contested)
    if at is not None:
        yield at


def _cut(spans: Sequence[PhasedSpan], root: PhasedSpan) -> list[_Cut]:
    """What of each span lies in its query's window, without those that end before they start, or lie outside.

    |------ root ------|
         |---- span ----|
         |-------------|     cut
    """
    low_ns, high_ns = root.start_ns, root.end_ns
    cuts: list[_Cut] = []
    for span in spans:
        start_ns, end_ns = span.start_ns, span.end_ns
        if start_ns < low_ns:
            start_ns = low_ns
        if end_ns > high_ns:
            end_ns = high_ns
        if start_ns < end_ns:
            cuts.append(_Cut(span, PHASE_RANK[span.phase], start_ns, end_ns))
    return cuts


def _lasted(spans: Sequence[_Cut]) -> _Lasted:
    lasted: dict[tuple[int, int], int] = defaultdict(int)
    for start_ns, end_ns, opened, working in _sweep(spans):
        lasted[opened, working] += end_ns - start_ns
    return lasted


def _sweep(spans: Sequence[_Cut]) -> Iterator[tuple[int, int, int, int]]:
    """The ends of the spans in the order of time: from when to when what was open, and what was at work itself.

    What was open is a number with a place of `_BITS` bits for each phase, which counts: spans open and close by adding
    and subtracting. The same for groups.
    """
    opened = working = 0
    is_open, open_children = [False] * len(spans), [0] * len(spans)
    parents = _parents(spans)
    phase_of = [_ONE_OF_PHASE[one.rank] for one in spans]
    group_of = [_ONE_OF_GROUP[one.rank] for one in spans]
    ends = [(one.start_ns, index, 1) for index, one in enumerate(spans)]
    ends += [(one.end_ns, index, -1) for index, one in enumerate(spans)]
    ends.sort()
    reached_ns = ends[0][0] if ends else 0
    for time_ns, index, step in ends:
        if time_ns > reached_ns:
            yield reached_ns, time_ns, opened, working
            reached_ns = time_ns
        is_open[index] = step > 0
        opened += step * phase_of[index]
        if not open_children[index]:
            working += step * group_of[index]
        parent = parents[index]
        if parent != _NO_PARENT:
            had_children = open_children[parent]
            open_children[parent] += step
            if is_open[parent] and not (had_children and open_children[parent]):
                working -= step * group_of[parent]


def _parents(spans: Sequence[_Cut]) -> Sequence[int]:
    """The place of each span's parent. A query may have spans of several traces, each with ids of its own."""
    if len({one.span.trace_id for one in spans}) == 1:
        at = {one.span.span_id: index for index, one in enumerate(spans)}
        return [at.get(one.span.parent_id or "", _NO_PARENT) for one in spans]
    place = {(one.span.trace_id, one.span.span_id): index for index, one in enumerate(spans)}
    return [place.get((one.span.trace_id, one.span.parent_id or ""), _NO_PARENT) for one in spans]


def _sums(lasted: _Lasted) -> tuple[_Sums, _Sums]:
    """Nanoseconds of each phase, and what of them is contested."""
    phases_ns, contested_ns = [0] * len(PHASES), [0] * len(PHASES)
    _add_sums(lasted, phases_ns, contested_ns)
    return phases_ns, contested_ns


def _add_sums(lasted: _Lasted, phases_ns: list[int], contested_ns: list[int], around: int = 0) -> None:
    """Add them; `around` is what is open all the while and not at work itself."""
    for (opened, working), ns in lasted.items():
        rank, is_contested = _owner(opened + around, working)
        phases_ns[rank] += ns
        if is_contested:
            contested_ns[rank] += ns


def _checked(root: PhasedSpan, seen: _Seen, phases_ns: _Sums, contested_ns: _Sums) -> QueryLedger:
    by_phase = dict(zip(PHASES, phases_ns, strict=True))
    contested = dict(zip(PHASES, contested_ns, strict=True)) if any(contested_ns) else None
    ledger = QueryLedger(
        query_key=root.query_key,
        start_ns=root.start_ns,
        wall_ns=max(0, root.end_ns - root.start_ns),
        phases_ns=MappingProxyType(by_phase),
        contested_ns=_NOTHING if contested is None else MappingProxyType(contested),
        provenance=_known_by(frozenset([one for one in seen if by_phase[one[0]]])),
    )
    ledger.check()
    return ledger


def _owner(opened: int, working: int) -> tuple[int, bool]:
    """Whose (the rank of the phase) an instant is, by what is open, and whether it is contested."""
    rank = ((opened & -opened).bit_length() - 1) // _BITS  # the lowest count: the phase that goes first
    return rank, bool(working & ~(_COUNT << _BITS * _GROUP_OF_RANK[rank]))


@lru_cache(maxsize=1024)
def _known_by(seen: frozenset[tuple[Phase, Provenance]]) -> Mapping[Phase, tuple[Provenance, ...]]:
    """How the spans of each phase were known, in the order of `Provenance`.

    The same for all queries that show the same: there are few kinds of them, and one value serves many.
    """
    return MappingProxyType(
        {phase: tuple(how for how in Provenance if (phase, how) in seen) for phase in PHASES}
    )
