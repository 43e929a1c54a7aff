"""The critical path of very many spans: what `critical_path` finds, summed by span, on whole numpy arrays.

No loop is over spans: one is over the levels of the trees (cut to the parents on the way down), one over the
children of a span (the n-th step back of every span at once). So 5,000 levels or children are 5,000 short steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Level:
    """The spans of one depth and, in the same order, their parents."""

    spans: Integers
    parents: Integers


def path_ns(parents: Integers, starts_ns: Integers, ends_ns: Integers) -> Integers:
    """Nanoseconds of every span on the critical path of its root; a root's spans sum to its wall time exactly.

    `parents` has an index, -1 for a root; any order will do. Times are mended and cut as by `windows.clip`.
    Raises ValueError if some spans hang under no root: their links are a cycle.
    """
    starts, ends = starts_ns.copy(), np.maximum(ends_ns, starts_ns)
    levels = _levels(parents)
    for level in levels:
        _cut(level, starts, ends)
    lengths = ends - starts
    waited_for, own = _steps_back(parents, starts, ends, lengths)
    on_path = parents < 0
    for level in levels:
        on_path[level.spans] = waited_for[level.spans] & on_path[level.parents]
    return np.where(on_path, own, 0)


def _levels(parents: Integers) -> list[_Level]:
    """Every depth below the roots, from the top."""
    count = len(parents)
    roots = np.flatnonzero(parents < 0)
    by_parent = np.argsort(parents, kind="stable")
    children = np.bincount(parents[by_parent[len(roots) :]], minlength=count)
    first = len(roots) + np.cumsum(children) - children
    found, above, placed = [], roots, len(roots)
    while len(above := above[children[above] > 0]):
        spans = by_parent[_ranges(first[above], children[above])]
        found.append(_Level(spans, parents[spans]))
        above, placed = spans, placed + len(spans)
    if placed < count:
        raise ValueError(f"{count - placed} spans hang under no root")
    return found


def _ranges(first: Integers, lengths: Integers) -> Integers:
    """`first[0], first[0] + 1, … (lengths[0] of them), first[1], …`."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(first - before, lengths) + np.arange(lengths.sum())


def _cut(level: _Level, starts: Integers, ends: Integers) -> None:
    low, high = starts[level.parents], ends[level.parents]
    cut_starts = np.clip(starts[level.spans], low, high)
    starts[level.spans] = cut_starts
    ends[level.spans] = np.maximum(np.minimum(ends[level.spans], high), cut_starts)


def _steps_back(
    parents: Integers, starts: Integers, ends: Integers, lengths: Integers
) -> tuple[Flags, Integers]:
    """Which child its parent waited for, and what of each span is left without those children."""
    children = np.flatnonzero((parents >= 0) & (lengths > 0))
    children = children[np.lexsort((-children, -starts[children], -ends[children], parents[children]))]
    of = parents[children]
    at = np.flatnonzero(np.diff(of, prepend=-1))
    behind = np.append(at[1:], len(of)) if len(at) else at
    waiting = of[at]
    cursor = ends[waiting]
    waited_for, own = np.zeros(len(parents), dtype=np.bool_), lengths.copy()
    while len(at):
        child = children[at]
        in_time = ends[child] <= cursor
        found = child[in_time]
        waited_for[found] = True
        own[waiting[in_time]] -= lengths[found]
        cursor[in_time] = starts[found]
        at = at + 1
        left = at < behind
        at, behind, waiting, cursor = at[left], behind[left], waiting[left], cursor[left]
    return waited_for, own
