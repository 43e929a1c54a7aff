"""Which candidates of all traces are queries, and why the others are none.

Where some trace asks a model, one that asks none is no query: a health check, a page, an agent's creation. Nor is an
evaluation, whoever it asks. An agent's run that failed is one, although it didn't come so far, and so is one that
counts tokens. A trace that begins with a tool has lost its caller's context, and so has a call in the time of a run
that has none; both belong to the run around them, if there is one alone. What is linked to a query around it is a part
of that (`linking`), and no query either where that judges. One of a server's spans alone repeats what clients report.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import Enum, auto
from itertools import accumulate
from typing import Final, NamedTuple

from punie.trace.analysis.queries.candidates import CandidateOrigin
from punie.trace.analysis.queries.linking import linked_parts, lost_contexts
from punie.trace.analysis.queries.outline import ClientCall, Outline, QueryCandidate, ReportedBy, Request
from punie.trace.analysis.queries.windows import is_inside
from punie.trace.analysis.trees.roles import Role
from punie.trace.analysis.trees.tree import SpanKey

_STRAYS: Final = {Role.TOOL, Role.CHAT}
_AT_ONCE: Final = 64  # calls that may be open while a gateway works for one of them


class Fate(Enum):
    """The fate of a candidate."""

    QUERY = auto()
    PART = auto()  # of a query of another trace
    WITHOUT_MODEL = auto()
    OUTSIDE = auto()  # of a run's own queries


class JudgedCandidate(NamedTuple):
    """A candidate's fate, and the query that it is a part of, where that is known."""

    fate: Fate
    part_of: SpanKey | None = None


_ALONE: Final = {source: JudgedCandidate(Fate.QUERY) for source in CandidateOrigin} | {
    CandidateOrigin.LINKED: JudgedCandidate(Fate.OUTSIDE)
}


def select(outlines: Iterable[Outline]) -> dict[SpanKey, JudgedCandidate]:
    """Judge the candidates of every trace, those of the others known."""
    outlines = tuple(outlines)
    candidates = {one.key: one for of_trace in outlines for one in of_trace.candidates}
    is_alone = len(candidates) == 1 and all(one.passes_on is None for one in candidates.values())
    if is_alone or (all(of_trace.is_settled for of_trace in outlines) and not lost_contexts(outlines)):
        # nothing is there that one could be a part of
        return {key: _ALONE[one.source] for key, one in candidates.items()}
    return _Selection(outlines, candidates).judged()


class _Selection:
    """The candidates of a source, of which some may be parts of others' queries.

    `around` has the run in whose time a stray lies, `lost` the calls that have lost such a run, which asks nobody else;
    `linked` has the queries of which links make candidates a part, `of_judges` those of them that are evaluations'.
    """

    def __init__(self, outlines: Sequence[Outline], candidates: Mapping[SpanKey, QueryCandidate]) -> None:
        self._candidates = candidates
        self._calls = _Calls(outlines)
        self._linked = linked_parts(outlines)
        self._around = dict(_runs_around(candidates.values()))
        reported_by = {
            key: ReportedBy.NOBODY if one.role is Role.EVALUATION else one.reported_by
            for key, one in candidates.items()
        }
        self._lost = {
            key
            for key, run in self._around.items()
            if candidates[key].role is Role.CHAT and not reported_by[run]
        }
        self._of_judges = {
            key for key, query in self._linked.items() if candidates[query].role is Role.EVALUATION
        }
        linking = (query for key, query in self._linked.items() if key not in self._of_judges)
        callers = (*(self._around[key] for key in self._lost), *linking)
        self._reported_by = reported_by | dict.fromkeys(callers, ReportedBy.CLIENT)
        self._any_reported = any(self._reported_by.values())
        reports = (
            reported_by
            for key, reported_by in self._reported_by.items()
            if candidates[key].role is not Role.TOOL
        )
        self._best_reported = max(reports, default=ReportedBy.NOBODY)

    def judged(self) -> dict[SpanKey, JudgedCandidate]:
        """Every candidate's fate."""
        fates = {key: self._fate(one) for key, one in self._candidates.items()}
        adopted = dict(self._adopted(fates))
        by_link = {
            key: adopted.get(query, query)
            for key, query in self._linked.items()
            if query in adopted or fates[query] is Fate.QUERY
        }
        return {
            key: JudgedCandidate(Fate.PART if key in by_link else fate, by_link.get(key, adopted.get(key)))
            for key, fate in fates.items()
        }

    def _fate(self, one: QueryCandidate) -> Fate:
        if one.source is CandidateOrigin.LINKED:
            return Fate.OUTSIDE
        if one.source is CandidateOrigin.OWN:
            return Fate.QUERY
        reported_by = self._reported_by[one.key]
        is_known_part = one.key in self._lost or one.key in self._of_judges
        if is_known_part or _is_part(one, reported_by, self._best_reported, self._calls):
            return Fate.PART
        is_query = reported_by or one.is_run or not self._any_reported
        return Fate.QUERY if is_query else Fate.WITHOUT_MODEL

    def _adopted(self, fates: Mapping[SpanKey, Fate]) -> Iterator[tuple[SpanKey, SpanKey]]:
        """Parts without a caller, each with the query in whose time it lies."""
        for key, run in self._around.items():
            has_lost_it = key in self._lost or self._candidates[key].role is Role.TOOL
            if has_lost_it and fates[key] is Fate.PART and fates[run] is Fate.QUERY:
                yield key, run


def _runs_around(candidates: Collection[QueryCandidate]) -> Iterator[tuple[SpanKey, SpanKey]]:
    """Each tool or call that begins a trace, with the only run in whose time it lies."""
    runs = _Runs(one for one in candidates if one.role is Role.AGENT)
    for one in candidates:
        if one.role in _STRAYS and (run := runs.around(one)) is not None:
            yield one.key, run


def _is_part(one: QueryCandidate, reported_by: ReportedBy, others: ReportedBy, calls: _Calls) -> bool:
    """Whether a candidate belongs to a query of another trace, by its own spans and their times."""
    if one.role is Role.TOOL:
        return others is not ReportedBy.NOBODY
    if reported_by is ReportedBy.SERVER:
        return others is ReportedBy.CLIENT
    return (
        reported_by is ReportedBy.CLIENT
        and one.passes_on is not None
        and calls.were_passed_on(one, one.passes_on)
    )


class _Runs:
    """The agents' runs of a source, for the traces that may be parts of one."""

    def __init__(self, runs: Iterable[QueryCandidate]) -> None:
        self._by_start = sorted(runs, key=lambda run: (run.start_ns, run.key))
        self._starts = [run.start_ns for run in self._by_start]
        self._reached = [*accumulate((run.end_ns for run in self._by_start), max)]

    def around(self, one: QueryCandidate) -> SpanKey | None:
        """The only run of the same service, in another trace, in whose time a candidate lies."""
        runs: list[SpanKey] = []
        at = bisect_right(self._starts, one.start_ns)
        while at > 0 and self._reached[at - 1] >= one.end_ns and len(runs) < 2:
            at -= 1
            run = self._by_start[at]
            if run.key[0] != one.key[0] and is_inside(one, run) and run.service == one.service:
                runs.append(run.key)
        return runs[0] if len(runs) == 1 else None


class _Calls:
    """The calls of a source that only clients report."""

    def __init__(self, outlines: Sequence[Outline]) -> None:
        self._by_start = sorted(
            (call for one in outlines for call in one.calls), key=lambda call: call.start_ns
        )
        self._starts = [call.start_ns for call in self._by_start]

    def were_passed_on(self, one: QueryCandidate, request: Request) -> bool:
        """Whether a whole trace shows what a call was at: a gateway's, another library's, or a POST without context."""
        earlier = self._by_start[: bisect_right(self._starts, one.start_ns)]
        return any(
            is_inside(one, call)
            and (_is_its_post(one, call) if one.role is Role.HTTP else _is_one_request(call.request, request))
            and (one.role is not Role.CHAT or _lasts_longer(call, one))
            for call in reversed(earlier[-_AT_ONCE:])
        )


def _is_its_post(post: QueryCandidate, call: ClientCall) -> bool:
    """Whether a POST of the same service fills most of a call."""
    lasted_ns = call.end_ns - call.start_ns
    return post.service == call.request.service and 2 * (post.end_ns - post.start_ns) > lasted_ns


def _lasts_longer(call: ClientCall, one: QueryCandidate) -> bool:
    """Of two clients' spans of one request the outer one asks: never both for each other."""
    return call.end_ns - call.start_ns > one.end_ns - one.start_ns


def _is_one_request(request: Request, behind: Request) -> bool:
    """Whether two services, or two libraries of one, report one request.

    No count may differ. Between services the same model is enough; where a gateway has another name for it, and within
    a service, the counts or the answer's id have to agree.
    """
    pairs = zip(request.facts, behind.facts, strict=True)
    agree = [one == other for one, other in pairs if one is not None and other is not None]
    if not all(agree) or (request.service, request.scope) == (behind.service, behind.scope):
        return False
    return (request.service != behind.service and request.model == behind.model) or len(agree) > 1
