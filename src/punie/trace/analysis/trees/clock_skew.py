"""Clocks of different machines in one trace: shifted so that what was asked for lies in the asking, by one rule.

    asking      |-------------- POST --------------|
    answering                      |-------- request --------|      as its clock has it
                    |-------- request --------|                     shifted: room is left on both sides

A machine has one clock, so it gets one shift in a trace. Each span whose parent was timed by another machine leaves
it room: it can't begin before its parent does, nor, if the parent waited for its end and is long enough for it, end
after it. Where the parent did not wait (an HTTP span that ends at the headers, a client that left or failed) or is
too short, it has to begin before the parent ends; between a producer and a consumer only that the cause comes first
holds. The room of a machine is what all of these leave. No shift in it means that nothing contradicts the clocks, and
nothing is touched. Else the shift is the middle of the room (as if the way there took as long as the way back), or
its edge if it is open at one end, and half of the room is how uncertain it is. If nothing is left, no one shift
explains the times: nothing is moved, and that is said.

The clock of the trace's first top is right by definition; machines are taken in the order in which they are asked.
Where it is not known whether two processes share a machine (`hosts`) nothing is shifted either: their spans are
clipped, as those of one machine are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

import msgspec
from msgspec.structs import replace

from punie.trace.analysis.trees.hosts import Machines, Process, calls_loopback, process_of
from punie.trace.analysis.trees.roles import waited_for_last_byte
from punie.trace.analysis.trees.tree import Forest, SpanKey, with_times
from punie.trace.model import Span, SpanKind

TOLERANCE_NS: Final = (
    1_000_000  # of processes of which it isn't known whether they share a clock: as of one host's
)


class Shift(msgspec.Struct, frozen=True):
    """What was added to the times of one machine's spans in one trace.

    `uncertain_ns` is half of the room that was left, None where one side of it is open.
    """

    trace_id: str
    machine: str
    shift_ns: int
    uncertain_ns: int | None


class ClockSkew(msgspec.Struct, frozen=True):
    """What was found: the shifts made, the machines that no shift explains, and the spans of unknown machines."""

    shifts: tuple[Shift, ...] = ()
    unclear: tuple[str, ...] = ()
    unknown: tuple[SpanKey, ...] = ()


class _Edge(msgspec.Struct, frozen=True):
    parent: SpanKey
    child: SpanKey


class _Corrections(msgspec.Struct):
    shifts: list[Shift] = msgspec.field(default_factory=list)
    unclear: list[str] = msgspec.field(default_factory=list)
    unknown: list[SpanKey] = msgspec.field(default_factory=list)
    moved: dict[SpanKey, Span] = msgspec.field(default_factory=dict)


def correct_clocks(forest: Forest) -> tuple[Forest, ClockSkew]:
    """`forest` with the clocks of its machines brought together, and what was done."""
    processes = _processes(forest)
    corrections = _Corrections()
    for keys in _by_trace(forest).values() if len(set(processes.values())) > 1 else ():
        if not _are_one_machine(frozenset([processes[key] for key in keys])):
            _correct_trace(forest, keys, processes, corrections)
    if corrections.moved:
        forest = with_times(forest, {**forest.spans, **corrections.moved})
    return forest, ClockSkew(
        tuple(corrections.shifts), tuple(corrections.unclear), tuple(corrections.unknown)
    )


@lru_cache(1_024)  # traces of one source are made by the same few processes
def _are_one_machine(processes: frozenset[Process]) -> bool:
    return Machines(processes).is_one


def _processes(forest: Forest) -> dict[SpanKey, Process]:
    """Whose each span is; spans that share their resource are looked at once."""
    of_resource: dict[int, Process] = {}
    processes: dict[SpanKey, Process] = {}
    for key, span in forest.spans.items():
        process = of_resource.get(id(span.resource))
        if process is None:
            process = of_resource[id(span.resource)] = process_of(span)
        processes[key] = process
    return processes


def _by_trace(forest: Forest) -> dict[str, list[SpanKey]]:
    traces: dict[str, list[SpanKey]] = {}
    for key in forest.order:
        traces.setdefault(key[0], []).append(key)
    return traces


def _correct_trace(
    forest: Forest, keys: list[SpanKey], processes: Mapping[SpanKey, Process], corrections: _Corrections
) -> None:
    machines, edges = _machines(forest, keys, processes, corrections)
    offsets: dict[Process, int] = {}
    for key in keys:  # the first top's machine first; one that nothing leads to keeps its time as well
        start = machines.of(processes[key])
        if start not in offsets:
            offsets[start] = 0
            _spread(forest, edges, offsets, start, corrections, trace_id=key[0], machines=machines)
    for key in keys:
        offset_ns = offsets[machines.of(processes[key])]
        if offset_ns:
            corrections.moved[key] = _moved(forest.spans[key], offset_ns)


_Edges = dict[Process, dict[Process, list[_Edge]]]


def _machines(
    forest: Forest, keys: list[SpanKey], processes: Mapping[SpanKey, Process], corrections: _Corrections
) -> tuple[Machines, _Edges]:
    """The machines of a trace, and the links between those that are known to differ, in both directions."""
    machines = Machines(dict.fromkeys([processes[key] for key in keys]))
    links = [
        _Edge(parent, key)
        for key in keys
        if (parent := forest.parent[key]) is not None and processes[parent] != processes[key]
    ]
    for edge in links:
        if calls_loopback(forest.spans[edge.parent].attributes):
            machines.join(processes[edge.parent], processes[edge.child])
    edges: _Edges = {}
    for edge in links:
        above, below = machines.of(processes[edge.parent]), machines.of(processes[edge.child])
        if above == below:
            continue
        if machines.differ(above, below):
            edges.setdefault(above, {}).setdefault(below, []).append(edge)
            edges.setdefault(below, {}).setdefault(above, []).append(edge)
        elif _contradicts(forest.spans[edge.parent], forest.spans[edge.child]):
            corrections.unknown.append(edge.child)
    return machines, edges


def _contradicts(parent: Span, child: Span) -> bool:
    low_ns, high_ns = _room(parent, child)
    return low_ns > TOLERANCE_NS or (high_ns is not None and high_ns < -TOLERANCE_NS)


def _spread(
    forest: Forest,
    edges: _Edges,
    offsets: dict[Process, int],
    start: Process,
    corrections: _Corrections,
    *,
    trace_id: str,
    machines: Machines,
) -> None:
    """Give every machine that is reached from `start` its shift."""
    waiting = deque(edges.get(start, {}))
    while waiting:
        machine = waiting.popleft()
        if machine in offsets:
            continue
        low_ns, high_ns = _common_room(forest, edges[machine], offsets, machine, machines)
        offsets[machine] = _shift_ns(low_ns, high_ns)
        name = machines.name(machine)
        if low_ns is not None and high_ns is not None and low_ns > high_ns:
            corrections.unclear.append(f"{trace_id}: {name}")
        elif offsets[machine]:
            is_open = low_ns is None or high_ns is None
            uncertain_ns = None if is_open else ((high_ns or 0) - (low_ns or 0) + 1) // 2
            corrections.shifts.append(Shift(trace_id, name, offsets[machine], uncertain_ns))
        waiting.extend(edges[machine])


def _shift_ns(low_ns: int | None, high_ns: int | None) -> int:
    """The middle of the room, or its edge if it is open; 0 where that is in it, and where there is none."""
    if (low_ns is None or low_ns <= 0) and (high_ns is None or high_ns >= 0):
        return 0
    if low_ns is None or high_ns is None:
        return low_ns if low_ns is not None else high_ns or 0
    return (low_ns + high_ns) // 2 if low_ns <= high_ns else 0


def _common_room(
    forest: Forest,
    neighbours: Mapping[Process, list[_Edge]],
    offsets: Mapping[Process, int],
    machine: Process,
    machines: Machines,
) -> tuple[int | None, int | None]:
    """What all links between `machine` and those that have their shift leave: not less, not more."""
    rooms = [
        room
        for other, edges in neighbours.items()
        if other in offsets
        for edge in edges
        for room in _rooms(
            forest, edge, offsets[other], is_below=_is_of(forest, edge.child, machine, machines)
        )
    ]
    lows = [low_ns for low_ns, _ in rooms if low_ns is not None]
    highs = [high_ns for _, high_ns in rooms if high_ns is not None]
    return max(lows, default=None), min(highs, default=None)


def _is_of(forest: Forest, key: SpanKey, machine: Process, machines: Machines) -> bool:
    return machines.of(process_of(forest.spans[key])) == machine


def _rooms(
    forest: Forest, edge: _Edge, offset_ns: int, *, is_below: bool
) -> Iterator[tuple[int | None, int | None]]:
    """The room of the machine below, or, where the machine above is to be shifted, the same seen from there."""
    low_ns, high_ns = _room(forest.spans[edge.parent], forest.spans[edge.child])
    if is_below:
        yield low_ns + offset_ns, None if high_ns is None else high_ns + offset_ns
    else:
        yield None if high_ns is None else offset_ns - high_ns, offset_ns - low_ns


def _room(parent: Span, child: Span) -> tuple[int, int | None]:
    """By how much `child` may be shifted against `parent`: at least, at most (None: nothing limits it)."""
    low_ns = parent.start_ns - child.start_ns
    if SpanKind.CONSUMER is child.kind or SpanKind.PRODUCER is parent.kind or parent.duration_ns < 0:
        return low_ns, None
    lasted_ns = max(child.duration_ns, 0)
    waited = waited_for_last_byte(parent) and lasted_ns <= parent.duration_ns
    return low_ns, parent.end_ns - (child.start_ns + lasted_ns if waited else child.start_ns)


def _moved(span: Span, offset_ns: int) -> Span:
    """Its times shifted; an end that was never told stays untold."""
    return replace(
        span,
        start_ns=span.start_ns + offset_ns,
        end_ns=span.end_ns + offset_ns if span.end_ns else 0,
        events=tuple(replace(event, time_ns=event.time_ns + offset_ns) for event in span.events),
    )
