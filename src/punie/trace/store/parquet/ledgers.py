"""The ledgers of many queries at once, added up in columns, to the nanosecond of `analysis/ledger/ledger.py`.

Each query's time is laid after the one before it, so that one sort and one running count serve them all:

    |--- query 1 ---| |-- query 2 --| |------- query 3 -------|

Columns are numpy arrays of 64-bit integers, an entry a span or a query.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from punie.trace.model import PHASE_GROUP, PHASES, Group, Provenance

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LONGEST_AXIS_NS: Final = 2**62
"""As much as the spans that are laid after each other may last together."""

_BITS: Final = 21  # no query has 2^21 spans: see `MOST_SPANS`
_EACH: Final = 3  # counts side by side in one integer
_COUNT: Final = (1 << _BITS) - 1
_HALF: Final = 26  # sums of less than 2^26 are exact as floats, however many they are here
_GROUP_OF_RANK: Final = np.array([tuple(Group).index(PHASE_GROUP[phase]) for phase in PHASES])


@dataclass(frozen=True, slots=True)
class Members:
    """The spans of several queries: `query` and `parent` are places (-1: no parent), `rank` and `how` of its phase."""

    query: Ints
    parent: Ints
    start_ns: Ints
    end_ns: Ints
    rank: Ints
    how: Ints


@dataclass(frozen=True, slots=True)
class QueryWindows:
    """The queries: from when to when each lasts, and which part it belongs to."""

    low_ns: Ints
    high_ns: Ints
    part: Ints


@dataclass(frozen=True, slots=True)
class PartSums:
    """Nanoseconds by part and phase, and how each phase with time was known, by part, phase and provenance."""

    ns: list[list[int]]
    contested_ns: list[list[int]]
    known: Bools


def add_up(members: Members, windows: QueryWindows, parts: int) -> PartSums:
    """The sums over all queries, for `parts` parts. Their time together must be less than `LONGEST_AXIS_NS`."""
    cut, low, high = _cut(members, windows)
    axis = _laid_out(np.maximum(windows.high_ns - windows.low_ns, 0)) - windows.low_ns
    at, open_rank, own_rank, step = _ends(cut, low, high, axis)
    owner, is_contested = _owners(open_rank, own_rank, step)
    lasted = np.diff(at, append=at[-1:])
    lasted[owner >= len(PHASES)] = 0  # between two queries nothing is open
    query = np.searchsorted(axis + windows.low_ns, at, side="right") - 1
    of = windows.part[query] * len(PHASES) + np.minimum(owner, len(PHASES) - 1)
    has_time = np.zeros(len(windows.part) * len(PHASES), dtype=np.bool_)
    has_time[query[lasted > 0] * len(PHASES) + owner[lasted > 0]] = True
    return PartSums(
        _sums(of, lasted, parts),
        _sums(of[is_contested], lasted[is_contested], parts),
        _known(cut, windows, has_time, parts),
    )


def _cut(members: Members, windows: QueryWindows) -> tuple[Members, Ints, Ints]:
    """The spans that have time in their query's window, with when they start and end there.

    |------ root ------|
         |---- span ----|
    """
    low = np.maximum(members.start_ns, windows.low_ns[members.query])
    high = np.minimum(members.end_ns, windows.high_ns[members.query])
    alive = high > low
    place = np.cumsum(alive) - 1
    parent = members.parent[alive]
    is_below = (parent >= 0) & alive[parent]
    cut = Members(
        members.query[alive],
        np.where(is_below, place[parent], -1),
        low[alive],
        high[alive],
        members.rank[alive],
        members.how[alive],
    )
    return cut, low[alive], high[alive]


def _laid_out(lengths: Ints) -> Ints:
    """Where each of `lengths` begins if they are laid after each other with a gap of 1."""
    return np.cumsum(lengths + 1) - (lengths + 1)


def _ends(cut: Members, low: Ints, high: Ints, axis: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """All instants at which something changes, in the order of time: when, whose phase opens, who is at work, +1 or -1.

    A rank of `len(PHASES)` stands for nothing. A span is at work itself from its start to its end, without what its
    children cover together.
    """
    covered, begin, end = _covered(cut, low, high)
    shift, covered_shift = axis[cut.query], axis[cut.query[covered]]
    nothing = np.full(len(covered), len(PHASES), dtype=np.int64)
    at = np.concatenate((low + shift, high + shift, begin + covered_shift, end + covered_shift))
    opens = np.concatenate((cut.rank, cut.rank, nothing, nothing))
    works = np.concatenate((cut.rank, cut.rank, cut.rank[covered], cut.rank[covered]))
    ones, of_children = np.ones(len(cut.rank), dtype=np.int64), np.ones(len(covered), dtype=np.int64)
    step = np.concatenate((ones, -ones, -of_children, of_children))
    order = np.argsort(at)
    return at[order], opens[order], works[order], step[order]


def _covered(cut: Members, low: Ints, high: Ints) -> tuple[Ints, Ints, Ints]:
    """The stretches that the children of a span cover together: the span, from when, to when."""
    child = np.flatnonzero(cut.parent >= 0)
    parent = cut.parent[child]
    begin, end = np.maximum(low[child], low[parent]), np.minimum(high[child], high[parent])
    inside = end > begin
    parent, begin, end = parent[inside], begin[inside], end[inside]
    shift = (_laid_out(high - low) - low)[parent]
    order = np.argsort(begin + shift)
    parent, shift = parent[order], shift[order]
    begin, reached = (begin[order] + shift), np.maximum.accumulate(end[order] + shift)
    is_first = np.ones(len(begin), dtype=np.bool_)
    is_first[1:] = begin[1:] > reached[:-1]
    first = np.flatnonzero(is_first)
    last = np.append(first[1:], len(begin)) - 1 if len(first) else first
    return parent[first], begin[first] - shift[first], reached[last] - shift[first]


def _owners(opens: Ints, works: Ints, step: Ints) -> tuple[Ints, Bools]:
    """The rank that owns the time after each instant (`len(PHASES)`: nobody), and whether it is contested."""
    owner = np.full(len(step), len(PHASES), dtype=np.int64)
    for rank, is_open in reversed(list(enumerate(_counts(opens, step, len(PHASES))))):
        owner[is_open] = rank
    groups = np.append(_GROUP_OF_RANK, len(Group))
    of_owner, is_contested = groups[owner], np.zeros(len(step), dtype=np.bool_)
    for group, at_work in enumerate(_counts(groups[works], step, len(Group))):
        is_contested |= at_work & (of_owner != group)
    return owner, is_contested


def _counts(kind: Ints, step: Ints, kinds: int) -> Iterator[Bools]:
    """For each kind whether more of it have begun than have ended, after each step."""
    for first in range(0, kinds, _EACH):
        ones = np.zeros(kinds + 1, dtype=np.int64)
        ones[first : min(first + _EACH, kinds)] = [
            1 << _BITS * place for place in range(min(_EACH, kinds - first))
        ]
        running = np.cumsum(ones[kind] * step)
        for place in range(min(_EACH, kinds - first)):
            yield running & (_COUNT << _BITS * place) != 0


def _sums(of: Ints, ns: Ints, parts: int) -> list[list[int]]:
    """Exact: the sums of halves are small enough for the floats in which numpy counts."""
    size = parts * len(PHASES)
    low = np.bincount(of, weights=ns & ((1 << _HALF) - 1), minlength=size)
    high = np.bincount(of, weights=ns >> _HALF, minlength=size)
    sums = [(int(above) << _HALF) + int(below) for above, below in zip(high, low, strict=True)]
    return [sums[at : at + len(PHASES)] for at in range(0, size, len(PHASES))]


def _known(cut: Members, windows: QueryWindows, has_time: Bools, parts: int) -> Bools:
    known = np.zeros((parts, len(PHASES), len(Provenance)), dtype=np.bool_)
    counts = has_time[cut.query * len(PHASES) + cut.rank]
    known[windows.part[cut.query[counts]], cut.rank[counts], cut.how[counts]] = True
    return known
