"""Runs in traces of their own that are parts of queries in others, because a link says so, or a request.

A link alone says that two traces have to do with each other: the next turn of a conversation is linked to the last one,
and what a queue hands on to who put it there. What lies wholly in the time of a query that it is linked with, in either
direction, is a part of it: whoever waited for that query waited for it as well.

Where a server that a tool asked lost the context, its trace begins with a request that has no client. If one tool's
request alone goes to the same path around it in time, and around no other such trace, the two belong together, unless
they name two domains.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Final

from punie.trace.analysis.queries.candidates import CandidateOrigin
from punie.trace.analysis.queries.outline import Outline, QueryCandidate, ReportedBy, Visit
from punie.trace.analysis.queries.windows import is_inside
from punie.trace.analysis.trees.roles import Role
from punie.trace.analysis.trees.tree import SpanKey

_WHOLE: Final = {CandidateOrigin.OWN, CandidateOrigin.AGENT, CandidateOrigin.ROOT, CandidateOrigin.LINKED}


def linked_parts(outlines: Sequence[Outline]) -> Mapping[SpanKey, SpanKey]:
    """For each candidate that is a part by a link the outermost one around it, in another trace."""
    pairs = {frozenset((_trace_of(one), other)) for one in outlines if one.candidates for other in one.linked}
    pairs |= lost_contexts(outlines)
    if not pairs:
        return {}
    of_trace = {_trace_of(one): one.candidates for one in outlines if one.candidates}
    inside: dict[SpanKey, SpanKey] = {}
    for pair in sorted(map(sorted, pairs)):
        some, others = (of_trace.get(trace, ()) for trace in pair)
        for inner, outer in (*_nested(some, others), *_nested(others, some)):
            if _is_part(inner, outer):
                inside.setdefault(inner.key, outer.key)
    return {key: _outermost(key, inside) for key in inside}


def lost_contexts(outlines: Iterable[Outline]) -> Set[frozenset[str]]:
    """The pairs of traces of which one is what a tool's request in the other asked for."""
    known = [one for one in outlines if one.candidates]
    visits: dict[str, list[tuple[str, Visit]]] = {}
    for one in known:
        for visit in one.visits:
            visits.setdefault(visit.path, []).append((_trace_of(one), visit))
    if not visits:
        return frozenset()
    found: dict[tuple[str, Visit], list[str]] = {}
    for one in known:
        for received in one.receives:
            around = [
                (trace, visit)
                for trace, visit in visits.get(received.path, ())
                if trace != _trace_of(one) and is_inside(received, visit) and not _differ(visit, received)
            ]
            if len(around) == 1:
                found.setdefault(around[0], []).append(_trace_of(one))
    return frozenset(frozenset((trace, own[0])) for (trace, _), own in found.items() if len(own) == 1)


def _differ(visit: Visit, received: Visit) -> bool:
    """Whether they name two domains: a server that knows none may be behind any."""
    return bool(visit.domain and received.domain) and visit.domain != received.domain


def _trace_of(one: Outline) -> str:
    return one.candidates[0].key[0]


def _nested(
    inner: Sequence[QueryCandidate], outer: Sequence[QueryCandidate]
) -> Iterator[tuple[QueryCandidate, QueryCandidate]]:
    """Those of `inner`, each with the one of `outer` that it lies in; both are by their start and don't overlap."""
    starts = [one.start_ns for one in outer]
    for one in inner:
        at = bisect_right(starts, one.start_ns) - 1
        if at >= 0 and is_inside(one, outer[at]):
            yield one, outer[at]


def _is_part(inner: QueryCandidate, outer: QueryCandidate) -> bool:
    """Whether one can be a part of the other; of two with the same times neither contains the other twice."""
    works = inner.reported_by is ReportedBy.CLIENT or inner.role in (Role.AGENT, Role.TOOL)
    is_longer = (outer.end_ns - outer.start_ns, inner.key) > (inner.end_ns - inner.start_ns, outer.key)
    is_free = inner.source is not CandidateOrigin.OWN and inner.role is not Role.EVALUATION
    return works and is_longer and is_free and outer.source in _WHOLE


def _outermost(key: SpanKey, inside: Mapping[SpanKey, SpanKey]) -> SpanKey:
    while key in inside:
        key = inside[key]
    return key
