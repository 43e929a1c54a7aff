"""A comparison as programs read it. `comparison.schema.json` beside this file is made from these types.

History of the format (`schema_version`):
1: the first.
2: written from types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from punie.trace.analysis.comparison.change import Change as AnalysedChange
from punie.trace.analysis.comparison.change import Direction
from punie.trace.analysis.comparison.compare import Comparison
from punie.trace.analysis.comparison.design import ObservationUnit
from punie.trace.analysis.comparison.facts import FactComparison
from punie.trace.analysis.comparison.gate import GateOutcome
from punie.trace.analysis.comparison.measures import MeasureKind
from punie.trace.analysis.comparison.sides import Side as AnalysedSide
from punie.trace.analysis.comparison.tokens import TokenChange
from punie.trace.report.content import ComparisonContent
from punie.trace.report.document import FlatTable
from punie.trace.report.published.base import Published, fields_of
from punie.trace.report.wording.comparison import caveats, gate_reason, left_out_reasons, undecided_reasons


class ExcludedAnswer(msgspec.Struct, frozen=True):
    """An answer that is excluded from averages."""

    query_id: str
    trace_id: str


class Side(msgspec.Struct, frozen=True):
    """One side: `answers` counts the complete, right ones."""

    sources: tuple[str, ...]
    server_starts: int
    answers: int
    failed: tuple[ExcludedAnswer, ...]
    truncated: tuple[ExcludedAnswer, ...]


class Design(msgspec.Struct, frozen=True):
    """What varies, what the permutation test exchanges, and how often that can be done."""

    unit: ObservationUnit
    exchanged: ObservationUnit
    paired_queries: bool
    covers_starts: bool
    queries: tuple[str, ...]
    left_out: Mapping[str, str]
    starts: tuple[int, int]
    repeats: int
    units: int = 0
    arrangements: str = "0"
    exact: bool = False
    smallest_p: float | None = None


class Change(msgspec.Struct, frozen=True):
    """One measure: nanoseconds a query, intervals at 95 %."""

    kind: MeasureKind
    name: str
    a_ns: int
    b_ns: int
    difference_ns: int
    interval_ns: tuple[int, int] | None
    ratio: float | None
    ratio_interval: tuple[float, float] | None
    p: float | None
    family_p: float | None
    outcome: Direction


class QueryMeans(msgspec.Struct, frozen=True):
    """One query on both sides: the mean of its answers."""

    query_id: str
    a_ns: int
    b_ns: int


class Sensitivity(msgspec.Struct, frozen=True):
    """The least change that would be found 4 times of 5, and how many units a side `size_ns` needs."""

    detectable_ns: int
    size_ns: int
    unit: ObservationUnit
    has: int
    per_side: int | None


class GateAnswer(msgspec.Struct, frozen=True):
    """What the gate says, and why."""

    gate: GateOutcome
    reason: str


class ComparisonDocument(Published, frozen=True, kw_only=True):
    """Two sides, compared. `changes` has end to end first, then groups and phases."""

    schema: Literal["punie.trace.comparison"] = "punie.trace.comparison"
    schema_version: Literal[2] = 2
    sides: Mapping[Literal["a", "b"], Side]
    comparability: tuple[FactComparison, ...]
    same_answers: int
    outcome: Direction
    undecided: tuple[str, ...]
    caveats: tuple[str, ...]
    design: Design | None
    changes: tuple[Change, ...]
    queries: tuple[QueryMeans, ...]
    work: tuple[TokenChange, ...]
    sensitivity: Sensitivity | None
    gate: GateAnswer | None


def publish_comparison(report: ComparisonContent) -> ComparisonDocument:
    """The comparison as its published type; means are rounded to whole nanoseconds."""
    comparison, gate = report.comparison, report.gate
    values = {
        "sides": {"a": _side(report.a, comparison.a), "b": _side(report.b, comparison.b)},
        "comparability": comparison.facts,
        "same_answers": comparison.same_answers,
        "outcome": comparison.direction,
        "undecided": undecided_reasons(comparison),
        "caveats": caveats(comparison),
        "design": _design(comparison),
        "changes": [_change(change) for change in comparison.changes],
        "queries": [_rounded(QueryMeans, query) for query in comparison.queries],
        "work": comparison.tokens,
        "sensitivity": comparison.sensitivity and _rounded(Sensitivity, comparison.sensitivity),
        "gate": gate and {"gate": gate.gate, "reason": gate_reason(gate, comparison)},
    }
    return msgspec.convert(values, ComparisonDocument, from_attributes=True)


def _side(sources: tuple[str, ...], side: AnalysedSide) -> dict[str, Any]:
    counts = {"server_starts": side.starts, "answers": len(side.answers)}
    return {**fields_of(Side, side), "sources": sources, **counts}


def _design(comparison: Comparison) -> dict[str, Any] | None:
    design, test = comparison.design, comparison.test
    if design is None:
        return None
    tested = fields_of(Design, test) | {"arrangements": str(test.arrangements)} if test else {}
    return {**fields_of(Design, design), "left_out": left_out_reasons(design), **tested}


def _change(change: AnalysedChange) -> dict[str, Any]:
    interval = change.interval_ns and tuple(map(round, change.interval_ns))
    named = {"kind": change.measure.kind, "name": change.measure.name, "outcome": change.direction}
    return {**_rounded(Change, change), **named, "interval_ns": interval}


def _rounded(kind: type[msgspec.Struct], source: object) -> dict[str, Any]:
    """Means of nanoseconds as whole ones."""
    values = fields_of(kind, source)
    times = {key: round(values[key]) for key in values if key in ("a_ns", "b_ns", "difference_ns", *_SEEN)}
    return values | times


_SEEN = ("detectable_ns", "size_ns")
_SIZES = ("a_ns", "b_ns", "difference_ns", "difference_low_ns", "difference_high_ns")
_COLUMNS = ("kind", "name", *_SIZES, "ratio", "ratio_low", "ratio_high", "p", "family_p", "outcome")


def comparison_rows(document: ComparisonDocument) -> FlatTable:
    """A row for end to end, each group and phase, then each query, of which nothing is claimed."""
    changes = [
        (
            *(change.kind.value, change.name, change.a_ns, change.b_ns, change.difference_ns),
            *(change.interval_ns or (None, None)),
            change.ratio,
            *(change.ratio_interval or (None, None)),
            *(change.p, change.family_p, change.outcome.value),
        )
        for change in document.changes
    ]
    queries = [
        (
            *("query", query.query_id, query.a_ns, query.b_ns, query.b_ns - query.a_ns, None, None),
            query.b_ns / query.a_ns if query.a_ns else None,
            *(None,) * 5,
        )
        for query in document.queries
    ]
    return FlatTable(_COLUMNS, (*changes, *queries))
