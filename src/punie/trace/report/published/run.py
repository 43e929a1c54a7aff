"""The report of a run as programs read it. `run.schema.json` beside this file is made from these types.

History of the format (`schema_version`):
1: the first.
2: written from types; keys as the changelog lists them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from punie.trace.analysis.cache.bill import CacheBill
from punie.trace.analysis.causes.model import Cause
from punie.trace.analysis.improvement.track_record import TrackRecord
from punie.trace.analysis.integrity.finding import IntegrityFinding
from punie.trace.analysis.path.path_summary import PathSummary
from punie.trace.analysis.records import PathPart, PlannedQuery, QueryLedger, QueryRecord
from punie.trace.analysis.statistics.spread import Interval
from punie.trace.analysis.summary.totals import Totals
from punie.trace.analysis.verdicts.assessment import Assessment
from punie.trace.analysis.what_if.prediction import WhatIf
from punie.trace.model import PHASES, Phase, Verdict
from punie.trace.report.content import RunContent, SourceInfo
from punie.trace.report.document import FlatTable, Value
from punie.trace.report.published.base import Published, fields_of, joined, known_only
from punie.trace.report.wording.advice import next_step
from punie.trace.report.wording.headline import headline
from punie.trace.report.wording.verdicts import UNITS, basis


class PublishedVerdict(msgspec.Struct, frozen=True):
    """A verdict: its figure in `unit` with the interval, what it rests on and what to do, as words and slugs."""

    verdict: Verdict
    estimate: int | float | None
    interval: Interval | None
    unit: str
    reason: str
    basis: str
    advice: str
    next_step: str
    details: Mapping[str, Any]


class Path(msgspec.Struct, frozen=True):
    """The critical path of a query: nanoseconds by phase and by part each sum to its wall time."""

    phases_ns: Mapping[Phase, int]
    parallel_ns: int
    parts: tuple[PathPart, ...]


class Query(joined(QueryRecord, QueryLedger, without=("ledger", "query_key"))):  # type: ignore[misc] # made at import
    """One query asked: its ledger, whose phases sum to `wall_ns`, its score, its counts."""

    critical_path: Path | None


class FailedAnswer(msgspec.Struct, frozen=True):
    """An answer that is excluded from averages."""

    trace_id: str
    failures: tuple[str, ...]
    error: str | None


class Summary(msgspec.Struct, frozen=True):
    """A query of the suite over its repeats; `totals` over those that succeeded."""

    query_id: str
    expected: str | None
    asked: int
    scored: int
    right: int
    totals: Totals | None
    failed: tuple[FailedAnswer, ...]


class Finding(joined(IntegrityFinding)):  # type: ignore[misc] # made at import
    """Something that is wrong with the traces, and what to do about it."""

    remedy: str


class RunTotals(known_only(Totals, always=("answers",))):  # type: ignore[misc] # made at import
    """What the answers that count add up to; their number alone, where that is 0."""


class RunDocument(Published, frozen=True, kw_only=True):
    """One analysed run. `missing` are planned queries without a trace; `totals` are over those that count.

    `failed_totals` are over those that failed, `cached_repeats` counts right answers that don't count: asked before in
    their server start, with the prompt cache on. `track_records` say how predictions of levers did on this machine.
    """

    schema: Literal["punie.trace.report"] = "punie.trace.report"
    schema_version: Literal[2] = 2
    about: SourceInfo
    headline: str
    integrity: tuple[Finding, ...]
    missing: tuple[PlannedQuery, ...]
    verdicts: Mapping[str, PublishedVerdict]
    totals: RunTotals
    failed_totals: Totals | None
    cached_repeats: int
    queries: tuple[Query, ...]
    summaries: tuple[Summary, ...]
    critical_path: PathSummary | None
    cache: CacheBill
    what_if: WhatIf | None
    track_records: tuple[TrackRecord, ...]
    causes: tuple[Cause, ...]
    warmup: tuple[Query, ...]


def publish(report: RunContent) -> RunDocument:
    """The report as its published type."""
    analysis = report.analysis
    values = {
        "about": report.about,
        "headline": headline(analysis),
        "integrity": analysis.integrity,
        "missing": analysis.missing,
        "verdicts": {name: judged(one) for name, one in analysis.verdicts.by_name.items()},
        "totals": analysis.totals or {"answers": 0},
        "failed_totals": analysis.failed_totals,
        "cached_repeats": analysis.cached_repeats,
        "queries": [query_values(record) for record in analysis.records],
        "summaries": analysis.queries,
        "critical_path": analysis.critical_path,
        "cache": analysis.cache,
        "what_if": analysis.what_if,
        "track_records": report.past,
        "causes": report.causes,
        "warmup": [query_values(record) for record in analysis.warmup],
    }
    return msgspec.convert(values, RunDocument, from_attributes=True)


def judged(assessment: Assessment[Any]) -> dict[str, object]:
    """A verdict's values, to be converted to `PublishedVerdict`."""
    return {
        "verdict": assessment.verdict,
        "estimate": assessment.estimate,
        "interval": assessment.interval,
        "unit": UNITS[assessment.question],
        "reason": assessment.reason.value,
        "basis": basis(assessment),
        "advice": assessment.advice.value,
        "next_step": next_step(assessment),
        "details": msgspec.to_builtins(assessment.figures),
    }


def query_values(record: QueryRecord) -> dict[str, object]:
    """The record with its ledger beside its other values, to be converted to `Query`."""
    known = {phase: hows for phase, hows in record.ledger.provenance.items() if hows}
    return fields_of(Query, record) | fields_of(Query, record.ledger) | {"provenance": known}


_OF_RECORD: Final = ("query_id", "trace_id", "server_start", "repeat", "position", "warmup", "expected", "ok")
_COUNTS: Final = (
    "model_requests",
    "tool_calls",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "truncated",
)
_COLUMNS: Final = (
    *_OF_RECORD,
    *("failures", "error", "start_ns", "wall_ns"),
    *(f"{phase.value}_ns" for phase in PHASES),
    *(f"path_{phase.value}_ns" for phase in PHASES),
    "parallel_ns",
    *_COUNTS,
)


def query_rows(records: Iterable[QueryRecord]) -> FlatTable:
    """Times are integer nanoseconds."""
    return FlatTable(_COLUMNS, tuple(tuple(_row(record)) for record in records))


def _row(record: QueryRecord) -> Iterator[Value]:
    path = record.critical_path
    yield from (getattr(record, name) for name in _OF_RECORD)
    yield from (" ".join(record.failures), record.error, record.ledger.start_ns, record.wall_ns)
    yield from (record.ledger.phases_ns[phase] for phase in PHASES)
    yield from (path.phases_ns[phase] if path else None for phase in PHASES)
    yield path.parallel_ns if path else None
    yield from (getattr(record, name) for name in _COUNTS)
