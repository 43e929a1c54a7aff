"""Spans by their times: which overlap, which lie inside another. An end that was never written is the start."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.model import Span

Spans = Mapping[SpanKey, Span]


class Timed(Protocol):
    """Whatever has a start and an end."""

    @property
    def start_ns(self) -> int:
        """When it began."""

    @property
    def end_ns(self) -> int:
        """When it ended."""


def is_inside(inner: Timed, outer: Timed) -> bool:
    """Whether all of `inner` lies in the time of `outer`."""
    return outer.start_ns <= inner.start_ns and _end_ns(inner) <= _end_ns(outer)


def overlap(one: Span, other: Span) -> bool:
    """Whether two spans share any time; an instant shares what it lies in, but for its end."""
    early, late = sorted((one, other), key=lambda span: (span.start_ns, -_end_ns(span)))
    return late.start_ns < _end_ns(early)


def union_ns(windows: Iterable[tuple[int, int]]) -> int:
    """The time in which any of `windows` (start, end) is open."""
    total_ns = reached_ns = 0
    for start_ns, end_ns in sorted(windows):
        total_ns += max(0, end_ns - max(start_ns, reached_ns))
        reached_ns = max(reached_ns, end_ns)
    return total_ns


def clusters(spans: Spans, by_start: Sequence[SpanKey]) -> Iterator[list[SpanKey]]:
    """Runs of spans of which each overlaps with one before it."""
    cluster: list[SpanKey] = []
    reached_ns = 0
    for key in by_start:
        if cluster and spans[key].start_ns >= reached_ns:
            yield cluster
            cluster = []
        cluster.append(key)
        reached_ns = max(reached_ns, _end_ns(spans[key]))
    if cluster:
        yield cluster


def longest_apart(spans: Spans, keys: Iterable[SpanKey]) -> tuple[SpanKey, ...]:
    """`keys` by their start, without any that overlaps with a longer one that is kept."""
    keys = tuple(keys)
    if len(keys) < 2:
        return keys
    chosen: list[tuple[int, SpanKey]] = []
    for key in sorted(
        keys, key=lambda key: (spans[key].start_ns - _end_ns(spans[key]), spans[key].start_ns, key)
    ):
        at = bisect_right(chosen, (spans[key].start_ns, key))
        beside = [other for _, other in chosen[max(0, at - 1) : at + 1]]
        if not any(overlap(spans[key], spans[other]) for other in beside):
            insort(chosen, (spans[key].start_ns, key))
    return tuple(key for _, key in chosen)


def _end_ns(span: Timed) -> int:
    return max(span.start_ns, span.end_ns)
