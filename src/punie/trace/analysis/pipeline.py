"""From spans to what is known of each query: its ledger, its tokens, its score, and what is wrong.

    spans ─▶ by trace ─▶ read_trace, one at a time ─▶ records ─▶ what crosses traces

A trace is read as if it were alone. What traces have to know of each other is little and seldom matters: where models
answer, how tokens are reported, which candidates are parts of others' queries. It is gathered from all, and the few
traces of which it changes something are read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import partial
from itertools import chain

import msgspec
from msgspec.structs import replace

from punie.trace.analysis.integrity.checks import Checks, findings
from punie.trace.analysis.integrity.finding import IntegrityFinding
from punie.trace.analysis.queries.linking import lost_contexts
from punie.trace.analysis.queries.repeats import mark_cached_repeats
from punie.trace.analysis.queries.requests import ModelRequest
from punie.trace.analysis.queries.selection import JudgedCandidate, select
from punie.trace.analysis.queries.server_starts import run_of, starts_before
from punie.trace.analysis.queries.traces import Surroundings, missing_planned
from punie.trace.analysis.records import PlannedQuery, QueryRecord
from punie.trace.analysis.trace_reading import Reading, read_trace
from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.analysis.what_if.observed import Window
from punie.trace.model import Span, SpanSet


class QueryRecords(msgspec.Struct, frozen=True):
    """What a source's spans hold.

    `records` are its queries (warm-up among them) by their start, `missing` the planned queries without one, `findings`
    what is wrong with the traces, the gravest first, `requests` every request to a model by its start, `tools` when
    the tools of each query (by its key) ran.
    """

    records: tuple[QueryRecord, ...]
    missing: tuple[PlannedQuery, ...]
    findings: tuple[IntegrityFinding, ...]
    requests: tuple[ModelRequest, ...] = ()
    tools: Mapping[str, Sequence[Window]] = msgspec.field(default_factory=dict)


class RecordedSource(msgspec.Struct, frozen=True):
    """What one source gave.

    With `planned` (a run of ours) only its query spans are queries, so that what a killed run left unfinished
    yields no number. `now_ns` decides which times are possible (`trees/absolute_time`); None takes all as they are.
    """

    spans: SpanSet
    planned: Sequence[PlannedQuery] = ()
    now_ns: int | None = None


ReadAll = Callable[[Callable[[Sequence[Span]], Reading], Sequence[Sequence[Span]]], Iterable[Reading]]
"""How traces are read one by one: as `map` does, in its order."""


def read_queries(
    source: SpanSet,
    planned: Sequence[PlannedQuery] = (),
    *,
    now_ns: int | None = None,
    read_all: ReadAll = map,
) -> QueryRecords:
    """The one way from the spans of one source to query records; the arguments are those of `RecordedSource`."""
    return read_several([RecordedSource(source, planned, now_ns)], read_all=read_all)


def read_several(sources: Sequence[RecordedSource], *, read_all: ReadAll = map) -> QueryRecords:
    """The query records of sources that share no trace, each source read as if it were alone.

    A server start is one of its run, and of its source where no run is named. `read_all` may read traces in several
    processes.
    """
    return _together([_read(source, read_all) for source in sources], sources)


def _read(source: RecordedSource, read_all: ReadAll) -> list[Reading]:
    traces = _Source(source, read_all)
    traces.learn_addresses()
    traces.read_crossing_traces()
    return list(traces.readings.values())


class _Source:
    """The traces of a source by their ids, and what is known of each so far."""

    def __init__(self, source: RecordedSource, read_all: ReadAll) -> None:
        self._planned, self._now_ns = source.planned, source.now_ns
        self._spans: dict[str, list[Span]] = {}
        for span in source.spans.spans:
            self._spans.setdefault(span.trace_id, []).append(span)
        read = partial(read_trace, planned=source.planned, now_ns=source.now_ns)
        self.readings = dict(zip(self._spans, read_all(read, list(self._spans.values())), strict=True))
        self._addresses: Set[str] = frozenset()

    def learn_addresses(self) -> None:
        """Read again where a request went to an address at which models answer elsewhere."""
        self._addresses = frozenset().union(*(one.filling for one in self.readings.values()))
        for trace_id, one in list(self.readings.items()):
            if not self._addresses.isdisjoint(one.strange):
                self._read_again([trace_id], Surroundings(self._addresses))

    def read_crossing_traces(self) -> None:
        """Read again what is part of other traces' queries, and where prompts are reported otherwise than it seemed."""
        apart = frozenset().union(*(one.apart for one in self.readings.values()))
        judged = self._judged()
        together = _together_by_part(judged)
        for trace_id, one in list(self.readings.items()):
            others = together.get(trace_id)
            is_counted_otherwise = not apart.isdisjoint(one.reporters) and not one.apart.issuperset(
                apart & one.reporters
            )
            if others is not None:
                if others[0] == trace_id:
                    self._read_again(others, Surroundings(self._addresses, apart, judged))
            elif is_counted_otherwise or any(
                judged.get(key, fate) != fate for key, fate in one.judged.items()
            ):
                self._read_again([trace_id], Surroundings(self._addresses, apart, judged))

    def _judged(self) -> Mapping[SpanKey, JudgedCandidate]:
        """The fates of all candidates; nothing if none of them depends on other traces."""
        outlines = [outline for one in self.readings.values() for outline in one.outlines]
        if all(one.is_settled for one in outlines) and not lost_contexts(outlines):
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


def _together_by_part(judged: Mapping[SpanKey, JudgedCandidate]) -> Mapping[str, Sequence[str]]:
    """For each trace that shares a query with others all of them, the same list for each."""
    traces_of: dict[str, list[str]] = {}
    for key, fate in judged.items():
        if fate.part_of is not None:
            one, other = (traces_of.setdefault(trace, [trace]) for trace in (fate.part_of[0], key[0]))
            if one is not other:
                one += other
                traces_of.update(dict.fromkeys(other, one))
    return traces_of


def _together(read: Sequence[Sequence[Reading]], sources: Sequence[RecordedSource]) -> QueryRecords:
    readings = list(chain(*read))
    checks = Checks()
    for one in readings:
        checks.add(one.checks)
    records, requests = _numbered(
        sorted(
            (record for one in readings for record in one.records),
            key=lambda record: (record.ledger.start_ns, record.ledger.query_key),
        ),
        sorted(
            (request for one in readings for request in one.requests),
            key=lambda request: (request.start_ns, request.query_key, request.turn),
        ),
        _places(read),
    )
    records = mark_cached_repeats(records)
    planned = tuple(chain(*(source.planned for source in sources)))
    missing = tuple(chain(*map(_missing, read, sources)))
    return QueryRecords(
        records=records,
        missing=missing,
        findings=findings(checks, _notes_of_sources(sources), planned, missing, records, requests),
        requests=tuple(requests),
        tools={key: windows for one in readings for key, windows in one.tools.items()},
    )


def _missing(readings: Sequence[Reading], source: RecordedSource) -> tuple[PlannedQuery, ...]:
    return missing_planned(source.planned, frozenset().union(*(one.planned for one in readings)))


def _notes_of_sources(sources: Sequence[RecordedSource]) -> SpanSet:
    """What the sources say of themselves, without spans; the clock step is the coarsest."""
    return SpanSet(
        spans=(),
        unreadable=tuple(chain(*(source.spans.unreadable for source in sources))),
        resolution_ns=max(source.spans.resolution_ns for source in sources),
        notes=tuple(chain(*(source.spans.notes for source in sources))),
    )


def _places(read: Sequence[Sequence[Reading]]) -> Mapping[str, int]:
    """The source of each query that isn't of the first one."""
    return {
        record.ledger.query_key: place
        for place, readings in enumerate(read)
        if place
        for one in readings
        for record in one.records
    }


def _numbered(
    records: Sequence[QueryRecord], requests: Sequence[ModelRequest], places: Mapping[str, int]
) -> tuple[Iterable[QueryRecord], Sequence[ModelRequest]]:
    """Both with server starts that count over all runs of all sources."""
    before = starts_before(records, places)
    if not any(before.values()):
        return records, requests
    numbered = {
        record.ledger.query_key: replace(
            record, server_start=before[run_of(record, places)] + record.start_in_run
        )
        for record in records
    }
    return numbered.values(), [
        replace(request, server_start=numbered[request.query_key].server_start) for request in requests
    ]
