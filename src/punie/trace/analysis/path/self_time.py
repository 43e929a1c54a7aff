"""Self times: how long each span was at work itself, or at least had nobody below it who was.

    |------------- span -------------|
       |--- child ---|
              |--- child ---|   |- child -|
    |--|                    |---|            its self time

The self times of a query's spans sum to its wall time, plus what they did side by side.
"""

from __future__ import annotations

from punie.trace.analysis.trees.windows import Windows


def self_times(windows: Windows) -> list[int]:
    """Nanoseconds of each span's window that no child's window covers, by index."""
    parents, starts, ends = windows.parents, windows.starts_ns, windows.ends_ns
    left = [end - start for start, end in zip(starts, ends, strict=True)]
    covered_to = list(starts)
    for index in sorted(range(len(parents)), key=starts.__getitem__):
        parent = parents[index]
        if parent < 0:
            continue
        start, end = starts[index], ends[index]
        reached = covered_to[parent]
        if end > reached:
            left[parent] -= end - max(start, reached)
            covered_to[parent] = end
    return left
