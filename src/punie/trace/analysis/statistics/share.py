"""The share of wall time that queries spent on something, with its interval: from records to an estimate.

The unit is the query: the mean of its repeats, because repeats of one query resemble each other. With more
than one server start there is a second source of variation above it (two starts of one machine differ by more
than two repeats do). What differs between queries and what differs between starts add up, so the half-width is the
root of the sum of both squares, around the estimate over queries. The wider of the two alone held the truth in 87 %
where 20 queries and 20 starts differ alike (`benchmarks/coverage.py`). Two starts are enough for an interval, and with
one degree of freedom it is wide: that is what two starts are worth.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.ratio import HalfWidth, RatioUnit, half_width, ratio
from punie.trace.analysis.statistics.spread import LEVEL, Interval, UnitKind

Part = Callable[[QueryRecord], int]
Key = TypeVar("Key", int, str)


class ShareEstimate(msgspec.Struct, frozen=True):
    """A share of wall time over queries, each query with the mean of its repeats.

    `interval` is None for a single query from a single start; `over` names what makes it wide, queries or server
    starts. `repeats` is the least number of observations that any query has, over all starts.
    """

    estimate: float
    interval: Interval | None
    queries: int
    server_starts: int
    repeats: int


def share_over_wall(records: Sequence[QueryRecord], part: Part) -> ShareEstimate | None:
    """The share of `part` (nanoseconds of a record) in the wall time; None if there is no wall time.

    Records without wall time carry no weight in a ratio of sums and are left out.
    """
    timed = [record for record in records if record.wall_ns > 0]
    by_query = _grouped(timed, lambda record: record.query_id)
    units = [mean_unit(group, part) for group in by_query.values()]
    estimate = ratio(units)
    if estimate is None:
        return None
    starts = _start_units(timed, part, units)
    return ShareEstimate(
        estimate=estimate,
        interval=_interval(estimate, {UnitKind.QUERY: units, UnitKind.SERVER_START: starts}),
        queries=len(units),
        server_starts=len(starts),
        repeats=min(len(group) for group in by_query.values()),
    )


def mean_unit(records: Sequence[QueryRecord], part: Part) -> RatioUnit:
    """Several records of one query as one unit: mean part, mean wall time."""
    if len(records) == 1:
        return RatioUnit(float(part(records[0])), float(records[0].wall_ns))
    count = len(records)
    return RatioUnit(
        part=sum(part(record) for record in records) / count,
        whole=sum(record.wall_ns for record in records) / count,
    )


def repeats_by_query(records: Iterable[QueryRecord], part: Part) -> list[list[RatioUnit]]:
    """One list a query with one unit a repeat."""
    timed = [record for record in records if record.wall_ns > 0]
    groups = _grouped(timed, lambda record: record.query_id).values()
    return [[mean_unit([record], part) for record in group] for group in groups]


def _start_units(
    records: Sequence[QueryRecord], part: Part, over_all: Sequence[RatioUnit]
) -> list[RatioUnit]:
    """One unit a server start: the sum over its queries, each with the mean of its repeats there.

    `over_all` are the units of the queries over all starts.
    """
    by_start = _grouped(records, lambda record: record.server_start)
    if len(by_start) == 1:
        return [_summed(over_all)]
    return [
        _summed([mean_unit(group, part) for group in _grouped(of_start, lambda r: r.query_id).values()])
        for of_start in by_start.values()
    ]


def _summed(units: Sequence[RatioUnit]) -> RatioUnit:
    return RatioUnit(math.fsum([unit.part for unit in units]), math.fsum([unit.whole for unit in units]))


def half_widths(records: Sequence[QueryRecord], part: Part) -> Mapping[UnitKind, float]:
    """Half of the interval over queries alone and over server starts alone; without those of which there is one."""
    timed = [record for record in records if record.wall_ns > 0]
    groups = _grouped(timed, lambda record: record.query_id).values()
    units = [mean_unit(group, part) for group in groups]
    starts = _start_units(timed, part, units)
    found = _half_widths({UnitKind.QUERY: units, UnitKind.SERVER_START: starts})
    return {kind: width.value for kind, width in found.items()}


_UnitsOf = Mapping[UnitKind, Sequence[RatioUnit]]


def _half_widths(units_of: _UnitsOf) -> dict[UnitKind, HalfWidth]:
    widths = ((kind, half_width(units, level=LEVEL)) for kind, units in units_of.items())
    return {kind: width for kind, width in widths if width is not None}


def _interval(estimate: float, units_of: _UnitsOf) -> Interval | None:
    widths = _half_widths(units_of)
    if not widths:
        return None
    widest = max(widths, key=lambda kind: widths[kind].value)
    half = math.hypot(*(width.value for width in widths.values()))
    return Interval(
        low=max(0.0, estimate - half),
        high=min(1.0, estimate + half),
        level=LEVEL,
        method=widths[widest].method,
        units=len(units_of[widest]),
        over=widest,
    )


def _grouped(
    records: Iterable[QueryRecord], key: Callable[[QueryRecord], Key]
) -> dict[Key, list[QueryRecord]]:
    groups: dict[Key, list[QueryRecord]] = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return groups
