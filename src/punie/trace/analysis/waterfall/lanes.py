"""Which rows can be drawn on one line: in a lane windows are nested in an ancestor's or apart from all others.

agent  |------------------------------|     lane 0
tool       |--------|                       lane 0, nested
tool          |--------|                    lane 1: it overlaps a tool that it isn't part of
tool                      |----|            lane 0
"""

from __future__ import annotations

from collections.abc import Sequence

Interval = tuple[int, int]


def lanes(windows: Sequence[Interval], parents: Sequence[int], tracks: Sequence[int]) -> list[int]:
    """The lane of every row in its track, counted from 0; `parents` come before their children."""
    found = [0] * len(windows)
    open_rows: dict[
        int, list[list[int]]
    ] = {}  # by track, for each lane the rows that are open, the innermost last
    for row in sorted(range(len(windows)), key=lambda row: (windows[row][0], -windows[row][1], row)):
        in_track = open_rows.setdefault(tracks[row], [])
        for stack in in_track:
            while stack and windows[stack[-1]][1] <= windows[row][0]:
                stack.pop()
        fitting = [lane for lane, stack in enumerate(in_track) if _fits(windows, parents, row, stack)]
        if not fitting:
            in_track.append([])
        nested = [lane for lane in fitting if in_track[lane]]
        found[row] = (nested or fitting or [len(in_track) - 1])[0]
        in_track[found[row]].append(row)
    return found


def _fits(windows: Sequence[Interval], parents: Sequence[int], row: int, stack: Sequence[int]) -> bool:
    if not stack:
        return True
    innermost = stack[-1]
    return windows[row][1] <= windows[innermost][1] and _is_below(row, innermost, parents)


def _is_below(row: int, other: int, parents: Sequence[int]) -> bool:
    while row > other:
        row = parents[row]
    return row == other
