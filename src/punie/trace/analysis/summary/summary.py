"""Everything that a report says about one run, computed from its queries: what reports print and JSON holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import fields, replace

from punie.trace.analysis.cache.bill import CacheBill, cache_bill
from punie.trace.analysis.path.path_summary import PathSummary, summarise_paths
from punie.trace.analysis.queries.requests import ModelRequest
from punie.trace.analysis.records import PlannedQuery, QueryRecord
from punie.trace.analysis.statistics.decode import DecodeShare, decode_share
from punie.trace.analysis.statistics.spread import Spread, spread
from punie.trace.analysis.summary.totals import Totals, totals
from punie.trace.analysis.verdicts.accuracy import AccuracyFigures, accuracy_verdict, is_right, scored
from punie.trace.analysis.verdicts.assessment import Assessment, Integrity, QueryEvidence
from punie.trace.analysis.verdicts.generation import GenerationFigures, PredictedSavings, generation_verdict
from punie.trace.analysis.verdicts.memory import MemoryUse, memory_verdict
from punie.trace.analysis.verdicts.target import DEFAULT_TARGET_NS, TargetFigures, target_verdict
from punie.trace.analysis.what_if.improvements import CACHE
from punie.trace.analysis.what_if.observed import Window
from punie.trace.analysis.what_if.prediction import WhatIf, what_if


class QuerySummary(msgspec.Struct, frozen=True):
    """One query of the suite with all its repeats.

    `counted` are the executions that count, `wall` their times, None if none does. `failed` are the others, never
    averaged. `scored` and `right` count answers with a strict score (an error counts as a wrong one).
    """

    query_id: str
    expected: str | None
    asked: int
    scored: int
    right: int
    counted: tuple[QueryRecord, ...]
    wall: Spread | None
    failed: tuple[QueryRecord, ...]

    @property
    def totals(self) -> Totals | None:
        """What the executions that count add up to; made on demand: a text report shows few queries."""
        return totals(self.counted)


class Verdicts(msgspec.Struct, frozen=True):
    """The four questions, answered."""

    generation: Assessment[GenerationFigures]
    accuracy: Assessment[AccuracyFigures]
    target: Assessment[TargetFigures]
    memory: Assessment[MemoryUse]

    @property
    def by_name(self) -> Mapping[str, Assessment[Any]]:
        """All of them by the names of their questions, in order."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


class RunAnalysis(msgspec.Struct, frozen=True):
    """A run, analysed.

    `records` are the measured queries in the order in which they started, failed ones included, warm-up not.
    `totals` and `decode` are over those that count, None if none does. `missing` are planned queries without a
    record, in the plan's order. `integrity` is what was given, to be shown before any number. `cache` is what the
    prompt cache did for the model requests that were given. `critical_path` is over the queries that count, None
    where theirs are not known. `what_if` predicts from them, None where no model was asked.
    """

    records: tuple[QueryRecord, ...]
    queries: tuple[QuerySummary, ...]
    totals: Totals | None
    decode: DecodeShare | None
    warmup: tuple[QueryRecord, ...]
    missing: tuple[PlannedQuery, ...]
    integrity: tuple[Integrity, ...]
    cache: CacheBill
    critical_path: PathSummary | None
    what_if: WhatIf | None
    verdicts: Verdicts

    @property
    def failed(self) -> tuple[QueryRecord, ...]:
        """Queries that ended in an error or scored wrong."""
        return tuple(record for record in self.records if record.failed)

    @property
    def failed_totals(self) -> Totals | None:
        """What the failed queries add up to: they took time too."""
        return totals(self.failed)

    @property
    def cached_repeats(self) -> int:
        """Right answers that don't count, since they found their prompt in the cache (`queries/repeats`)."""
        return sum(record.succeeded and record.is_cached_repeat for record in self.records)

    @property
    def server_starts(self) -> int:
        """Server starts that answered a query."""
        return len({record.server_start for record in self.records})

    @property
    def caches(self) -> tuple[str, ...]:
        """The prompt cache arms of the queries, sorted."""
        return tuple(sorted({record.cache for record in self.records if record.cache}))

    @property
    def warmup_wall(self) -> Spread | None:
        """The wall times of the warm-up questions."""
        return spread([record.wall_ns for record in self.warmup])

    @property
    def disturbed(self) -> tuple[QueryRecord, ...]:
        """Right answers, or answers without a score, that are in no average because something disturbed them."""
        return tuple(r for r in self.records if r.disturbed_by is not None and not r.failed)


def analyse(
    records: Sequence[QueryRecord],
    integrity: Sequence[Integrity] = (),
    *,
    target_ns: int = DEFAULT_TARGET_NS,
    memory: MemoryUse | None = None,
    missing: Sequence[PlannedQuery] = (),
    requests: Sequence[ModelRequest] = (),
    tools: Mapping[str, Sequence[Window]] | None = None,
) -> RunAnalysis:
    """Analyse the queries of one run.

    `requests` are their model requests, warm-up included, `tools` when their tools ran, by query key. `missing` are
    the planned queries without a root span, empty where no plan is known (somebody else's traces). Raises
    AssertionError if a ledger doesn't add up: that is a bug in whatever made it.
    """
    for record in records:
        record.ledger.check()
    ordered = sorted(records, key=lambda record: (record.ledger.start_ns, record.trace_id))
    measured = tuple(record for record in ordered if not record.warmup)
    queries = QueryEvidence(measured, tuple(integrity), tuple(missing))
    counted, bill = queries.counted, cache_bill(requests)
    predicted = what_if(counted, requests, tools or {}, bill, target_ns=target_ns)
    if predicted is not None and queries.gaps:  # where the target has no verdict, nothing is said to reach it
        predicted = replace(predicted, reach=None)
    decode = decode_share(counted)
    return RunAnalysis(
        records=measured,
        queries=_query_summaries(measured),
        totals=totals(counted),
        decode=decode,
        warmup=tuple(record for record in ordered if record.warmup),
        missing=queries.missing,
        integrity=queries.integrity,
        cache=bill,
        critical_path=summarise_paths(counted),
        what_if=predicted,
        verdicts=_verdicts(queries, target_ns, memory, predicted, decode),
    )


def _verdicts(
    queries: QueryEvidence,
    target_ns: int,
    memory: MemoryUse | None,
    predicted: WhatIf | None,
    decode: DecodeShare | None,
) -> Verdicts:
    savings = None
    if predicted is not None and predicted.model is not None:
        savings = PredictedSavings(predicted.half_output_share, predicted.share_of(CACHE))
    return Verdicts(
        generation=generation_verdict(queries, savings, decode),
        accuracy=accuracy_verdict(queries),
        target=target_verdict(queries, target_ns),
        memory=memory_verdict(memory),
    )


def _query_summaries(records: Sequence[QueryRecord]) -> tuple[QuerySummary, ...]:
    by_query: dict[str, list[QueryRecord]] = {}
    for record in sorted(records, key=lambda record: record.query_id):
        by_query.setdefault(record.query_id, []).append(record)
    return tuple(_query_summary(query_id, group) for query_id, group in by_query.items())


def _query_summary(query_id: str, records: Sequence[QueryRecord]) -> QuerySummary:
    counted = tuple(record for record in records if record.counts)
    return QuerySummary(
        query_id=query_id,
        expected=next((record.expected for record in records if record.expected), None),
        asked=len(records),
        scored=len(scored(records)),
        right=sum(is_right(record) for record in records),
        counted=counted,
        wall=spread([record.wall_ns for record in counted]),
        failed=tuple(record for record in records if record.failed),
    )
