"""Spans as arrays, each cut to the window of its parent: what the critical path and the self times are made from."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Windows(msgspec.Struct, frozen=True):
    """Columns of one entry a span, integer nanoseconds: `0 <= ends_ns[i] - starts_ns[i]`, inside the parent's window.

    `parents[i]` is the index of the parent, always smaller than `i`, or -1 for a root. There may be many roots.
    """

    parents: Sequence[int]
    starts_ns: Sequence[int]
    ends_ns: Sequence[int]


def clip(parents: Sequence[int], starts_ns: Sequence[int], ends_ns: Sequence[int]) -> Windows:
    """Cut every span to the window that its parent has left; one that has nothing inside it becomes an instant.

        |---- parent ----|
    |--- child ---|              |--- child ---|
        |---------|      |                         what is left

    A span that ends before it starts counts as an instant at its start, as in the ledger. Raises ValueError if a
    parent doesn't come before its child, or the columns differ in length.
    """
    starts, ends = list(starts_ns), list(ends_ns)
    for index, (parent, start_ns, end_ns) in enumerate(zip(parents, starts_ns, ends_ns, strict=True)):
        if parent >= index:
            raise ValueError(f"span {index} comes before its parent {parent}")
        if parent >= 0:
            if start_ns < starts[parent]:
                starts[index] = start_ns = starts[parent]
            elif start_ns > ends[parent]:
                starts[index] = start_ns = ends[parent]
            if end_ns > ends[parent]:
                ends[index] = end_ns = ends[parent]
        if end_ns < start_ns:
            ends[index] = start_ns
    return Windows(parents, starts, ends)
