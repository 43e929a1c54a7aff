"""The spans of one query in the order in which a waterfall shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from punie.trace.analysis.ledger.phases import PhasedSpan


@dataclass(frozen=True, slots=True)
class Ordered:
    """The query's root first; right below each span what hangs below it, by start. `parents` and `depths` by place."""

    spans: tuple[PhasedSpan, ...]
    parents: tuple[int, ...]
    depths: tuple[int, ...]


def in_rows(members: Sequence[PhasedSpan]) -> Ordered:
    """Order the spans of one query, which has one root. What has lost its parent hangs below the root."""
    root = next(index for index, span in enumerate(members) if span.is_root)
    places = {(span.trace_id, span.span_id): index for index, span in enumerate(members)}
    children: dict[int, list[int]] = {}
    for index, span in enumerate(members):
        if index != root:
            above = places.get((span.trace_id, span.parent_id or ""), root)
            children.setdefault(above, []).append(index)
    order: list[int] = []
    parents: list[int] = []
    depths: list[int] = []
    waiting = [(root, -1, 0)]
    while waiting:
        index, parent, depth = waiting.pop()
        below = children.get(index, ())
        place = len(order)
        order.append(index)
        parents.append(parent)
        depths.append(depth)
        by_start = sorted(below, key=lambda child: _place(members[child]), reverse=True)
        waiting.extend((child, place, depth + 1) for child in by_start)
    return Ordered(tuple(members[index] for index in order), tuple(parents), tuple(depths))


def _place(span: PhasedSpan) -> tuple[int, int, str, str]:
    return (span.start_ns, span.end_ns, span.trace_id, span.span_id)
