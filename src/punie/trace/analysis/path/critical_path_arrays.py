"""The critical path of very many spans: what `critical_path` finds, summed by span, on whole numpy arrays.

No loop is over spans. What holds along a whole branch is found by doubling: every span asks its parent, then its
grandparent, then the ancestor 4, 8, … above, so 5,000 levels are 13 passes. Children who don't overlap have all been
waited for; where some do, a loop goes over the children of a span (the n-th step back of every such span at once).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def path_ns(parents: Integers, starts_ns: Integers, ends_ns: Integers) -> Integers:
    """Nanoseconds of every span on the critical path of its root; a root's spans sum to its wall time exactly.

    `parents` has an index, -1 for a root; any order will do, up to 2^31 spans. Times are mended and cut as by
    `windows.clip`. Raises ValueError if some spans hang under no root: their links are a cycle.
    """
    above = _ancestors(parents)
    starts, ends = _cut(above, starts_ns, np.maximum(ends_ns, starts_ns))
    waited_for, own = _steps_back(parents, starts, ends)
    on_path = waited_for | (parents < 0)
    for ancestors in above:
        on_path &= on_path[ancestors]
    return np.where(on_path, own, 0)


def _ancestors(parents: Integers) -> list[Integers]:
    """The ancestor 1, 2, 4, … levels above every span, the root where there are fewer."""
    above = [np.where(parents < 0, np.arange(len(parents)), parents)]
    while not np.array_equal(higher := above[-1][above[-1]], above[-1]) and 2 ** len(above) <= len(parents):
        above.append(higher)
    if lost := int(np.count_nonzero(parents[higher] >= 0)):
        raise ValueError(f"{lost} spans hang under no root")
    return above


def _cut(above: Sequence[Integers], starts: Integers, ends: Integers) -> tuple[Integers, Integers]:
    """Cutting by one window and then by another one is cutting by one window, so it can be doubled, too."""
    if not np.any((starts < starts[above[0]]) | (ends > ends[above[0]])):
        return starts, ends
    for ancestors in above:
        low, high = starts[ancestors], ends[ancestors]
        starts, ends = np.clip(starts, low, high), np.clip(ends, low, high)
    return starts, ends


def _steps_back(parents: Integers, starts: Integers, ends: Integers) -> tuple[Flags, Integers]:
    """Which child its parent waited for, and what of each span is left without those children."""
    lengths = ends - starts
    children, of = _last_first(parents, starts, ends, np.flatnonzero((parents >= 0) & (lengths > 0)))
    waited_for = np.zeros(len(parents), dtype=np.bool_)
    if not len(children):
        return waited_for, lengths
    first = np.flatnonzero(np.diff(of, prepend=-1))
    begins, done = starts[children], ends[children]
    overlap = np.zeros(len(children), dtype=np.bool_)
    overlap[1:] = (done[1:] > begins[:-1]) & (of[1:] == of[:-1])
    found = np.ones(len(children), dtype=np.bool_)
    if overlap.any():
        behind = np.append(first[1:], len(children))
        busy = np.logical_or.reduceat(overlap, first)
        _choose(found, begins, done, first[busy], behind[busy])
    waited_for[children] = found
    lengths[of[first]] -= np.add.reduceat(np.where(found, done - begins, 0), first)
    return waited_for, lengths


def _last_first(
    parents: Integers, starts: Integers, ends: Integers, children: Integers
) -> tuple[Integers, Integers]:
    """The children side by side with their siblings, by end, start and index, the last first; and their parents."""
    # A sort of numbers that hold both is several times faster than one of indices. Spans are mostly written as they
    # end, so this often is the whole order.
    last = len(parents) - 1
    keys = np.sort(parents[children] << 32 | last - children)
    children, of = last - (keys & 0xFFFFFFFF), keys >> 32
    begins, done = starts[children], ends[children]
    later = (done[1:] > done[:-1]) | ((done[1:] == done[:-1]) & (begins[1:] > begins[:-1]))
    if np.any(later & (of[1:] == of[:-1])):
        children = children[np.lexsort((-children, -begins, -done, of))]
    return children, of


def _choose(found: Flags, begins: Integers, done: Integers, at: Integers, behind: Integers) -> None:
    """Which of the children from `at` to `behind`, of one span each, it waited for: the last one, and so on back."""
    cursor = done[at]
    while len(at):
        in_time = done[at] <= cursor
        found[at] = in_time
        cursor = np.where(in_time, begins[at], cursor)
        at = at + 1
        left = at < behind
        at, behind, cursor = at[left], behind[left], cursor[left]
