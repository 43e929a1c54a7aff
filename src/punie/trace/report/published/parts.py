"""Queries by day or by model, or added up in a database, as programs read them.

History of the formats (`schema_version`), both alike:
1: the first.
2: written from types.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from punie.trace.analysis.records import PlannedQuery
from punie.trace.analysis.summary.database_totals import DatabaseTotals, Where
from punie.trace.analysis.summary.parts import GroupBy, Part
from punie.trace.model import PHASES
from punie.trace.report.content import RunContent
from punie.trace.report.document import FlatTable, Value
from punie.trace.report.published.base import Published, fields_of, joined
from punie.trace.report.published.run import Finding

NOT_COMPUTED: Final = (
    "integrity",
    "verdicts",
    "intervals",
    "single queries",
    "tokens",
    "critical path",
    "prompt cache",
    "what-if",
    "which repeats found the prompt cache warm (they are in the figures)",
)


class Figures(joined(Part, without=("name",), base=Published)):  # type: ignore[misc] # made at import
    """All queries together as one part and, with `by`, a part a day or a model."""

    by: GroupBy | None
    parts: tuple[Part, ...]


class PartsDocument(Figures, kw_only=True):  # type: ignore[call-arg] # as above
    """Queries by day or by model, from spans that were read."""

    source: str
    integrity: tuple[Finding, ...]
    missing: tuple[PlannedQuery, ...]
    schema: Literal["punie.trace.parts"] = "punie.trace.parts"
    schema_version: Literal[2] = 2


class DatabaseDocument(Figures, kw_only=True):  # type: ignore[call-arg] # as above
    """What a database added up; `not_computed` names what it leaves out, `named` traces that need the tree."""

    source: str
    where: Where
    named: tuple[str, ...]
    may_be_cut: bool
    memory: str
    not_computed: tuple[str, ...] = NOT_COMPUTED
    schema: Literal["punie.trace.in_database"] = "punie.trace.in_database"
    schema_version: Literal[2] = 2


def publish_parts(report: RunContent, total: Part, by: GroupBy, parts: tuple[Part, ...]) -> PartsDocument:
    """Parts of a report as their published type."""
    values = {
        **fields_of(Figures, total),
        "by": by,
        "parts": parts,
        "source": report.about.source,
        "integrity": report.analysis.integrity,
        "missing": report.analysis.missing,
    }
    return msgspec.convert(values, PartsDocument, from_attributes=True)


def publish_totals(totals: DatabaseTotals) -> DatabaseDocument:
    """A database's sums as their published type."""
    values = {**fields_of(Figures, totals.total), **fields_of(DatabaseDocument, totals)}
    return msgspec.convert(values, DatabaseDocument, from_attributes=True)


ALL: Final = "all"
_COUNTS: Final = ("answers", "failed", "warmup", "cached_repeats", "needs_tree", "network_known", "wall_ns")
_SPREAD: Final = ("mean_ns", "median_ns", "min_ns", "max_ns", "p95_ns", "p99_ns")
_COLUMNS: Final = (
    *("part", *_COUNTS, *_SPREAD),
    *(f"{phase.value}_ns" for phase in PHASES),
    *(f"{phase.value}_contested_ns" for phase in PHASES),
)


def part_rows(total: Part, parts: Sequence[Part] | None) -> FlatTable:
    """Times are integer nanoseconds. `parts` is None where nothing was put together: then the row is for all."""
    named = [(ALL, total)] if parts is None else [(part.name, part) for part in parts]
    return FlatTable(_COLUMNS, tuple((name, *_row(part)) for name, part in named))


def _row(part: Part) -> Iterator[Value]:
    yield from (getattr(part, name) for name in _COUNTS)
    yield from (getattr(part.wall, name) if part.wall else None for name in _SPREAD)
    yield from (entry.ns for entry in part.phases)
    yield from (entry.contested_ns for entry in part.phases)
