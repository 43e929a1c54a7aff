"""From spans to what is known of each query: its ledger, its tokens, its score, and what is wrong.

    spans ─▶ by trace ─▶ read_trace, one at a time ─▶ records ─▶ what crosses traces

A trace is read as if it were alone. What traces have to know of each other is little and seldom matters: where models
answer, who tells tokens how, which candidates are parts of others' queries. It is gathered from all, and the few
traces of which it changes something are read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial

from punie.trace.analysis.integrity.checks import Checks, findings
from punie.trace.analysis.integrity.finding import IntegrityFinding
from punie.trace.analysis.queries.repeats import mark_cached_repeats
from punie.trace.analysis.queries.requests import ModelRequest
from punie.trace.analysis.queries.selection import Judged, select
from punie.trace.analysis.queries.server_starts import starts_before
from punie.trace.analysis.queries.traces import PlannedKey, Surroundings, missing_planned
from punie.trace.analysis.records import PlannedQuery, QueryRecord
from punie.trace.analysis.trace_reading import Reading, read_trace
from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.analysis.what_if.observed import Activity
from punie.trace.model import Span, SpanSet


@dataclass(frozen=True, slots=True)
class QueryRecords:
    """What a source's spans hold.

    `records` are its queries (warm-up among them) by their start, `missing` the planned queries without one, `findings`
    what is wrong with the traces, the gravest first, `requests` every request to a model by its start, `activity` when
    each query (by its key) decoded, read prompts and ran tools.
    """

    records: tuple[QueryRecord, ...]
    missing: tuple[PlannedQuery, ...]
    findings: tuple[IntegrityFinding, ...]
    requests: tuple[ModelRequest, ...] = ()
    activity: Mapping[str, Activity] = field(default_factory=dict)


ReadAll = Callable[[Callable[[Sequence[Span]], Reading], Sequence[Sequence[Span]]], Iterable[Reading]]
"""How traces are read one by one: as `map` does, in its order."""


def read_queries(
    source: SpanSet,
    planned: Sequence[PlannedQuery] = (),
    *,
    now_ns: int | None = None,
    read_all: ReadAll = map,
) -> QueryRecords:
    """The one way from spans to query records.

    With `planned` (a run of ours) only its query spans are queries, so that what a killed run left unfinished
    yields no number. `now_ns` tells which times are possible (`trees/absolute_time`); None takes all as they are.
    `read_all` may read traces in several processes.
    """
    traces = _Source(source, planned, now_ns, read_all)
    traces.learn_addresses()
    traces.learn_what_crosses()
    return _together(list(traces.readings.values()), source, planned)


class _Source:
    """The traces of a source by their ids, and what is known of each so far."""

    def __init__(
        self, source: SpanSet, planned: Sequence[PlannedQuery], now_ns: int | None, read_all: ReadAll
    ) -> None:
        self._planned, self._now_ns = planned, now_ns
        self._spans: dict[str, list[Span]] = {}
        for span in source.spans:
            self._spans.setdefault(span.trace_id, []).append(span)
        read = partial(read_trace, planned=planned, now_ns=now_ns)
        self.readings = dict(zip(self._spans, read_all(read, list(self._spans.values())), strict=True))
        self._addresses: Set[str] = frozenset()

    def learn_addresses(self) -> None:
        """Read again where a request went to an address at which models answer elsewhere."""
        self._addresses = frozenset().union(*(one.filling for one in self.readings.values()))
        for trace_id, one in list(self.readings.items()):
            if not self._addresses.isdisjoint(one.strange):
                self._read_again([trace_id], Surroundings(self._addresses))

    def learn_what_crosses(self) -> None:
        """Read again what is part of other traces' queries, and where prompts are told otherwise than it seemed."""
        apart = frozenset().union(*(one.apart for one in self.readings.values()))
        judged = self._judged()
        together = _together_by_part(judged)
        for trace_id, one in list(self.readings.items()):
            others = together.get(trace_id)
            is_told_otherwise = not apart.isdisjoint(one.tellers) and not one.apart.issuperset(
                apart & one.tellers
            )
            if others is not None:
                if others[0] == trace_id:
                    self._read_again(others, Surroundings(self._addresses, apart, judged))
            elif is_told_otherwise or any(judged.get(key, fate) != fate for key, fate in one.judged.items()):
                self._read_again([trace_id], Surroundings(self._addresses, apart, judged))

    def _judged(self) -> Mapping[SpanKey, Judged]:
        """What becomes of all candidates; nothing if none of them depends on other traces."""
        outlines = [outline for one in self.readings.values() for outline in one.outlines]
        if all(candidate.is_settled for one in outlines for candidate in one.candidates):
            return {}
        return select(outlines)

    def _read_again(self, trace_ids: Sequence[str], around: Surroundings) -> None:
        if not around.judged:
            around = replace(around, judged=None)
        spans = [span for trace_id in trace_ids for span in self._spans[trace_id]]
        first, *others = trace_ids
        for other in others:
            self.readings.pop(other, None)
        self.readings[first] = read_trace(spans, self._planned, self._now_ns, around)


def _together_by_part(judged: Mapping[SpanKey, Judged]) -> Mapping[str, Sequence[str]]:
    """For each trace that shares a query with others all of them, the same list for each."""
    found: dict[str, list[str]] = {}
    for key, fate in judged.items():
        if fate.part_of is not None:
            one, other = (found.setdefault(trace, [trace]) for trace in (fate.part_of[0], key[0]))
            if one is not other:
                one += other
                found.update(dict.fromkeys(other, one))
    return found


def _together(readings: Sequence[Reading], source: SpanSet, planned: Sequence[PlannedQuery]) -> QueryRecords:
    checks, asked = Checks(), set[PlannedKey]()
    for one in readings:
        checks.add(one.checks)
        asked |= one.planned
    records, requests = _numbered(
        sorted(
            (record for one in readings for record in one.records),
            key=lambda record: (record.ledger.start_ns, record.ledger.query_key),
        ),
        sorted(
            (request for one in readings for request in one.requests),
            key=lambda request: (request.start_ns, request.query_key, request.turn),
        ),
    )
    records = mark_cached_repeats(records)
    missing = missing_planned(planned, asked)
    return QueryRecords(
        records=records,
        missing=missing,
        findings=findings(checks, source, planned, missing, records, requests),
        requests=tuple(requests),
        activity={key: activity for one in readings for key, activity in one.activity.items()},
    )


def _numbered(
    records: Sequence[QueryRecord], requests: Sequence[ModelRequest]
) -> tuple[Iterable[QueryRecord], Sequence[ModelRequest]]:
    """Both with server starts that count over all runs of the source."""
    before = starts_before(records)
    if not any(before.values()):
        return records, requests
    numbered = {
        record.ledger.query_key: replace(record, server_start=before[record.run_id] + record.start_in_run)
        for record in records
    }
    return numbered.values(), [
        replace(request, server_start=numbered[request.query_key].server_start) for request in requests
    ]
