"""Which candidates of all traces are queries, and why the others are none.

Where some trace asks a model, one that asks none is no query: a health check, a page, an agent's creation. Nor is an
evaluation, whoever it asks. An agent's run that failed is one, although it didn't come so far, and so is one that
counts tokens. A trace that begins with a tool has lost its caller's context, and so has a call in the time of a run
that has none; both belong to the run around them, if there is one alone. What is linked to a query around it is a part
of that (`linking`), and no query either where that judges. One of a server's spans alone repeats what clients tell of.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from itertools import accumulate
from typing import Final, NamedTuple

from punie.trace.analysis.queries.candidates import Source
from punie.trace.analysis.queries.linking import linked_parts
from punie.trace.analysis.queries.outline import AskedCall, Asks, Candidate, Outline, Request
from punie.trace.analysis.queries.windows import is_inside
from punie.trace.analysis.trees.roles import Role
from punie.trace.analysis.trees.tree import SpanKey

_STRAYS: Final = {Role.TOOL, Role.CHAT}
_AT_ONCE: Final = 64  # calls that may be open while a gateway works for one of them


class Fate(Enum):
    """What becomes of a candidate."""

    QUERY = auto()
    PART = auto()  # of a query of another trace
    WITHOUT_MODEL = auto()


class Judged(NamedTuple):
    """A candidate's fate, and the query that it is a part of, where that is known."""

    fate: Fate
    part_of: SpanKey | None = None


_QUERY: Final = Judged(Fate.QUERY)


def select(outlines: Iterable[Outline]) -> dict[SpanKey, Judged]:
    """Judge the candidates of every trace, those of the others known."""
    outlines = tuple(outlines)
    if all(of_trace.is_settled for of_trace in outlines):
        return {one.key: _QUERY for of_trace in outlines for one in of_trace.candidates}
    candidates = {one.key: one for of_trace in outlines for one in of_trace.candidates}
    if len(candidates) == 1 and all(one.passes_on is None for one in candidates.values()):
        return dict.fromkeys(candidates, _QUERY)  # nothing is there that it could be a part of
    runs = _Runs([one for one in candidates.values() if one.role is Role.AGENT])
    around = {
        key: run
        for key, one in candidates.items()
        if one.role in _STRAYS and (run := runs.around(one)) is not None
    }
    asks = {key: Asks.NOBODY if one.role is Role.EVALUATION else one.asks for key, one in candidates.items()}
    lost = {key for key, run in around.items() if candidates[key].role is Role.CHAT and not asks[run]}
    linked = linked_parts(outlines)
    of_judges = {key for key, query in linked.items() if candidates[query].role is Role.EVALUATION}
    asking = [around[key] for key in lost] + [query for key, query in linked.items() if key not in of_judges]
    asks.update(dict.fromkeys(asking, Asks.CLIENT))
    others = max(
        (one for key, one in asks.items() if candidates[key].role is not Role.TOOL), default=Asks.NOBODY
    )
    somebody_asks = any(asks.values())
    calls = _Calls(outlines)

    def fate(one: Candidate) -> Fate:
        if one.source is Source.OWN:
            return Fate.QUERY
        if one.key in lost or one.key in of_judges or _is_part(one, asks[one.key], others, calls):
            return Fate.PART
        return Fate.QUERY if asks[one.key] or not somebody_asks or one.is_run else Fate.WITHOUT_MODEL

    fates = {key: fate(one) for key, one in candidates.items()}
    adopted = {
        key: run
        for key, run in around.items()
        if fates[key] is Fate.PART
        and fates[run] is Fate.QUERY
        and (key in lost or candidates[key].role is Role.TOOL)
    }

    by_link = {
        key: adopted.get(query, query)
        for key, query in linked.items()
        if query in adopted or fates[query] is Fate.QUERY
    }
    return {
        key: Judged(Fate.PART if key in by_link else found, by_link.get(key, adopted.get(key)))
        for key, found in fates.items()
    }


def _is_part(one: Candidate, asks: Asks, others: Asks, calls: _Calls) -> bool:
    """Whether a candidate belongs to a query of another trace, as far as its own spans and their times tell."""
    if one.role is Role.TOOL:
        return others is not Asks.NOBODY
    if asks is Asks.SERVER:
        return others is Asks.CLIENT
    return asks is Asks.CLIENT and one.passes_on is not None and calls.were_passed_on(one, one.passes_on)


class _Runs:
    """The agents' runs of a source, for the traces that may be parts of one."""

    def __init__(self, runs: Iterable[Candidate]) -> None:
        self._by_start = sorted(runs, key=lambda run: (run.start_ns, run.key))
        self._starts = [run.start_ns for run in self._by_start]
        self._reached = [*accumulate((run.end_ns for run in self._by_start), max)]

    def around(self, one: Candidate) -> SpanKey | None:
        """The only run of the same service, in another trace, in whose time a candidate lies."""
        found: list[SpanKey] = []
        at = bisect_right(self._starts, one.start_ns)
        while at > 0 and self._reached[at - 1] >= one.end_ns and len(found) < 2:
            at -= 1
            run = self._by_start[at]
            if run.key[0] != one.key[0] and is_inside(one, run) and run.service == one.service:
                found.append(run.key)
        return found[0] if len(found) == 1 else None


class _Calls:
    """The calls of a source of which clients alone tell."""

    def __init__(self, outlines: Sequence[Outline]) -> None:
        self._by_start = sorted(
            (call for one in outlines for call in one.calls), key=lambda call: call.start_ns
        )
        self._starts = [call.start_ns for call in self._by_start]

    def were_passed_on(self, one: Candidate, request: Request) -> bool:
        """Whether a whole trace shows what a call was at: a gateway's, another library's, or a POST without context."""
        earlier = self._by_start[: bisect_right(self._starts, one.start_ns)]
        return any(
            is_inside(one, call)
            and (_is_its_post(one, call) if one.role is Role.HTTP else _is_one_request(call.request, request))
            and (one.role is not Role.CHAT or _lasts_longer(call, one))
            for call in reversed(earlier[-_AT_ONCE:])
        )


def _is_its_post(post: Candidate, call: AskedCall) -> bool:
    """Whether a POST of the same service fills most of a call."""
    lasted_ns = call.end_ns - call.start_ns
    return post.service == call.request.service and 2 * (post.end_ns - post.start_ns) > lasted_ns


def _lasts_longer(call: AskedCall, one: Candidate) -> bool:
    """Of two clients' spans of one request the outer one asks: never both for each other."""
    return call.end_ns - call.start_ns > one.end_ns - one.start_ns


def _is_one_request(asked: Request, behind: Request) -> bool:
    """Whether two services, or two libraries of one, tell of one request.

    No count may differ. Between services the same model is enough; where a gateway has another name for it, and within
    a service, the counts or the answer's id have to agree.
    """
    pairs = zip(asked.facts, behind.facts, strict=True)
    agree = [one == other for one, other in pairs if one is not None and other is not None]
    if not all(agree) or (asked.service, asked.scope) == (behind.service, behind.scope):
        return False
    return (asked.service != behind.service and asked.model == behind.model) or len(agree) > 1
