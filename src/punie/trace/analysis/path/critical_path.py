"""The critical path: at each instant the one span that the root was waiting for.

Read backwards from the root's end, a span waits for the child that ended last; before that child started, for the
one that ended last by then; in between for nobody but itself.

    |---------------- root ----------------|
      |---- a ----|          |---- c ----|
           |---- b ----|
      root |---- b ----| root|---- c ----|r      `a` ran beside `b`: nothing waited for it

A child that ends exactly where the next one starts is on the path. Of children that end together the one that
started last is: until then the others' work was not what was missing. Spans of no length are on no path.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from punie.trace.analysis.trees.windows import Windows

_Columns = tuple[list[int], list[int], list[int]]
_Children = list[list[int] | None]


class PathSection(msgspec.Struct, frozen=True):
    """A stretch of the critical path, never empty: `span` (its index) is what the root was waiting for."""

    span: int
    start_ns: int
    end_ns: int


def critical_path(windows: Windows) -> tuple[PathSection, ...]:
    """The sections of every root, in the order of the roots; a root's own, in the order of time, tile its window."""
    return tuple(map(PathSection, *path_columns(windows)))


def path_columns(windows: Windows) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
    """`critical_path` as three columns: span, start and end of every section.

    Whatever the shape of the tree, each span is looked at a fixed number of times: nothing recurses.
    """
    columns: _Columns = ([], [], [])
    children = _children(windows)
    for root in range(len(windows.parents) - 1, -1, -1):
        if windows.parents[root] < 0:
            _walk_back(root, windows, children, columns)
    spans, starts, ends = columns
    return spans[::-1], starts[::-1], ends[::-1]


def _children(windows: Windows) -> _Children:
    """Those of some length, by parent; sorted only when the walk comes to them."""
    starts, ends = windows.starts_ns, windows.ends_ns
    children: _Children = [None] * len(starts)
    for index, parent in enumerate(windows.parents):
        if parent >= 0 and starts[index] < ends[index]:
            siblings = children[parent]
            if siblings is None:
                children[parent] = [index]
            else:
                siblings.append(index)
    return children


def _walk_back(root: int, windows: Windows, children: _Children, columns: _Columns) -> None:
    parents, starts, ends = windows.parents, windows.starts_ns, windows.ends_ns
    add_span, add_start, add_end = columns[0].append, columns[1].append, columns[2].append
    at, cursor, left = root, ends[root], _last_ending_last(children[root], windows)
    while True:
        below = -1
        until = starts[at]
        while left:
            child = left.pop()
            if ends[child] <= cursor:
                below, until = child, ends[child]
                break
        if until < cursor:
            add_span(at)
            add_start(until)
            add_end(cursor)
            cursor = until
        if below >= 0:
            at, left = below, children[below]
            if left is not None and len(left) > 1:
                left = _last_ending_last(left, windows)
        elif at != root:
            at = parents[at]
            left = children[at]
        else:
            return


def _last_ending_last(siblings: list[int] | None, windows: Windows) -> list[int] | None:
    """By end, then start, in place, so that the next one to look at is the last."""
    if siblings and len(siblings) > 1:
        siblings.sort(key=windows.starts_ns.__getitem__)
        siblings.sort(key=windows.ends_ns.__getitem__)
    return siblings
