"""Which rows can be drawn on one line: in a lane windows are nested in an ancestor's or apart from all others.

agent  |------------------------------|     lane 0
tool       |--------|                       lane 0, nested
tool          |--------|                    lane 1: it overlaps a tool that it isn't part of
tool                      |----|            lane 0
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import islice
from typing import Final

Interval = tuple[int, int]
_MOST_ANCESTORS: Final = 64  # that are looked at; a row that fits into none of their lanes begins another


def lanes(windows: Sequence[Interval], parents: Sequence[int], tracks: Sequence[int]) -> list[int]:
    """The lane of every row in its track, counted from 0; `parents` come before their children, a root's is -1."""
    lane_of = [0] * len(windows)
    open_tracks: dict[int, _Track] = {}
    for row in sorted(range(len(windows)), key=lambda row: (windows[row][0], -windows[row][1], row)):
        track = open_tracks.setdefault(tracks[row], _Track(windows))
        lane_of[row] = track.place(row, parents)
    return lane_of


@dataclass(slots=True)
class _Track:
    """Lanes as stacks of the rows that are open, the innermost last; what ends first, and lanes without a row."""

    windows: Sequence[Interval]
    stacks: list[list[int]] = field(default_factory=list)
    ends: list[tuple[int, int]] = field(default_factory=list)
    free: list[int] = field(default_factory=list)
    lane_of_innermost: dict[int, int] = field(default_factory=dict)

    def place(self, row: int, parents: Sequence[int]) -> int:
        """Below the nearest ancestor that is the innermost of a lane, else in the first lane that is free."""
        start, end = self.windows[row]
        self._close(start)
        lane = self._nested(row, parents)
        if lane is None and self.free:
            lane = heappop(self.free)
        if lane is None:
            lane = len(self.stacks)
            self.stacks.append([])
        stack = self.stacks[lane]
        if stack:
            del self.lane_of_innermost[stack[-1]]
        stack.append(row)
        self.lane_of_innermost[row] = lane
        heappush(self.ends, (end, lane))
        return lane

    def _nested(self, row: int, parents: Sequence[int]) -> int | None:
        for above in islice(_ancestors(row, parents), _MOST_ANCESTORS):
            lane = self.lane_of_innermost.get(above)
            if lane is not None and self.windows[row][1] <= self.windows[above][1]:
                return lane
        return None

    def _close(self, now_ns: int) -> None:
        """Take what has ended by then off the stacks."""
        while self.ends and self.ends[0][0] <= now_ns:
            stack = self.stacks[lane := heappop(self.ends)[1]]
            while stack and self.windows[stack[-1]][1] <= now_ns:
                del self.lane_of_innermost[stack.pop()]
                if stack:
                    self.lane_of_innermost[stack[-1]] = lane
                else:
                    heappush(self.free, lane)


def _ancestors(row: int, parents: Sequence[int]) -> Iterator[int]:
    while (row := parents[row]) >= 0:
        yield row
