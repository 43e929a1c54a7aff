"""Queries in which each span lies inside what asked for it, and mostly one thing was done after another: most are.

    |-------------------- query --------------------|
      |---- call ----|   |--- tool ---|                  no span reaches out of its parent
        |-- POST --|          |--- tool ---|             these two overlap, with all that is below them

Beside such clusters each instant is the self time of one span: the innermost open one, of which the others are
ancestors. Ledger and critical path follow from these self times, and only in a cluster somebody has to look at what is
open when (tests hold both to a sweep over all).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from punie.trace.analysis.ledger.phases import PhasedSpan

_NO_PARENT = -1


class Cluster(NamedTuple):
    """Children of one span, of which each overlaps with one before it, with all below them; all by their places.

    Together they are open from `start_ns` to `end_ns` without a gap.
    """

    parent: int
    members: Sequence[int]
    start_ns: int
    end_ns: int


class InTurn(NamedTuple):
    """By the place of each span: that of its parent (-1 for the first, the root), and its self time in ns.

    What is in a cluster is in no other one.
    """

    parents: Sequence[int]
    self_ns: Sequence[int]
    clusters: Sequence[Cluster]


class QuerySpans(NamedTuple):
    """The spans of one query, parents first, and how they follow each other; None if one reaches out of its parent."""

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
    parents, left = [_NO_PARENT], [root.end_ns - root.start_ns]
    latest: list[int] = [_NO_PARENT]  # the child of each that began last
    reached = [root.start_ns]  # until when the children of each were open
    overlapping: dict[
        int, int
    ] = {}  # a child that began before the ones before it had ended: the one before it
    for place, span in enumerate(spans[1:], start=1):
        parent, start_ns, end_ns = places.get(span.parent_id), span.start_ns, span.end_ns
        if parent is None or span.is_root or span.detached or span.trace_id != root.trace_id:
            return None
        if not spans[parent].start_ns <= start_ns <= end_ns <= spans[parent].end_ns:
            return None
        open_until = reached[parent]
        if start_ns >= open_until:
            left[parent] -= end_ns - start_ns
            reached[parent] = end_ns
        elif spans[latest[parent]].start_ns <= start_ns:
            overlapping[place] = latest[parent]
            if end_ns > open_until:
                left[parent] -= end_ns - open_until
                reached[parent] = end_ns
        else:
            return None
        latest[parent] = place
        places[span.span_id] = place
        parents.append(parent)
        latest.append(_NO_PARENT)
        reached.append(start_ns)
        left.append(end_ns - start_ns)
    if len(places) < len(spans):
        return None
    return InTurn(parents, left, _clusters(spans, parents, overlapping) if overlapping else ())


def _clusters(
    spans: Sequence[PhasedSpan], parents: Sequence[int], overlapping: dict[int, int]
) -> Sequence[Cluster]:
    """The outermost ones."""
    first_of: dict[int, int] = {}  # the first child of each one's cluster, which stands for it
    for place, before in overlapping.items():
        first = first_of.setdefault(before, before)
        first_of[place] = first
    cluster_at: list[int] = []
    members: dict[int, list[int]] = {}
    for place, parent in enumerate(parents):
        around = cluster_at[parent] if parent >= 0 else _NO_PARENT
        cluster = around if around >= 0 else first_of.get(place, _NO_PARENT)
        cluster_at.append(cluster)
        if cluster >= 0:
            members.setdefault(cluster, []).append(place)
    return [
        Cluster(parents[first], places, spans[first].start_ns, max([spans[place].end_ns for place in places]))
        for first, places in members.items()
    ]
