"""Queries in which one thing was done after another, each inside what asked for it: most are.

    |-------------- query --------------|
      |---- call ----|   |--- tool ---|       no span overlaps a sibling, or reaches out of its parent
        |-- POST --|

Then each instant is the self time of one span: the innermost open one, of which the others are ancestors. Ledger and
critical path follow from these self times, without a look at what is open when (tests hold both to the sweep).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from punie.trace.analysis.ledger.phases import PhasedSpan


class InTurn(NamedTuple):
    """By the place of each span: that of its parent (-1 for the first, the root), and its self time in ns."""

    parents: Sequence[int]
    self_ns: Sequence[int]


class QuerySpans(NamedTuple):
    """The spans of one query, parents first, and how they follow each other; None if some overlap or reach out."""

    spans: Sequence[PhasedSpan]
    in_turn: InTurn | None


def by_query(phased: Iterable[PhasedSpan]) -> list[QuerySpans]:
    """The spans of each query, in their order."""
    spans_of: dict[str, list[PhasedSpan]] = {}
    for span in phased:
        of_query = spans_of.get(span.query_key)
        if of_query is None:
            spans_of[span.query_key] = [span]
        else:
            of_query.append(span)
    return [QuerySpans(spans, _in_turn(spans)) for spans in spans_of.values()]


def _in_turn(spans: Sequence[PhasedSpan]) -> InTurn | None:
    root = spans[0]
    if not root.is_root or root.end_ns < root.start_ns:
        return None
    places: dict[str | None, int] = {root.span_id: 0}
    parents, ends, reached, left = [-1], [root.end_ns], [root.start_ns], [root.end_ns - root.start_ns]
    for place, span in enumerate(spans[1:], start=1):
        parent, start_ns, end_ns = places.get(span.parent_id), span.start_ns, span.end_ns
        if parent is None or span.is_root or span.detached or span.trace_id != root.trace_id:
            return None
        if not reached[parent] <= start_ns <= end_ns <= ends[parent]:
            return None
        reached[parent] = end_ns
        left[parent] -= end_ns - start_ns
        places[span.span_id] = place
        parents.append(parent)
        ends.append(end_ns)
        reached.append(start_ns)
        left.append(end_ns - start_ns)
    return InTurn(parents, left) if len(places) == len(spans) else None
