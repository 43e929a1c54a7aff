"""A comparison as drawings: both sides of each query, and every difference with its interval."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from punie.trace.analysis.comparison.measures import Kind
from punie.trace.report import figures
from punie.trace.report.charts import Mark, Range, Ranges
from punie.trace.report.inert import one_line
from punie.trace.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from punie.trace.analysis.comparison.change import Change
    from punie.trace.analysis.comparison.compare import Comparison, QueryChange
    from punie.trace.report.figures import Figure


def paired_charts(queries: Sequence[QueryChange]) -> tuple[Ranges, ...]:
    """Each query's time on both sides, on one axis; nothing without queries."""
    rows = tuple(
        Range(one_line(q.query_id), figures.duration(q.a_ns), figures.duration(q.b_ns)) for q in queries
    )
    return (Ranges("Each query's mean time, A and B", rows, names=("A", "B")),) if rows else ()


def difference_charts(comparison: Comparison) -> tuple[Ranges, ...]:
    """B - A of end to end and of each phase, which sum to it; nothing where nothing was compared."""
    shown = [change for change in comparison.changes if change.measure.known and _is_part(change)]
    rows = tuple(Range(_name(change), difference(change)) for change in shown)
    sums = all(change.measure.known for change in comparison.changes)
    title = f"B - A, a query{': the phases sum to end to end' if sums else ''}"
    return (Ranges(title, rows, marks(comparison)),) if rows else ()


def difference(change: Change) -> Figure:
    """B minus A with its interval."""
    low, high = change.interval_ns or (None, None)
    return replace(figures.signed_duration(change.difference_ns), low=low, high=high)


def _is_part(change: Change) -> bool:
    return change.measure.kind in (Kind.END_TO_END, Kind.PHASE)


def _name(change: Change) -> str:
    return "end to end" if change.measure.kind is Kind.END_TO_END else change.measure.name


def marks(comparison: Comparison) -> tuple[Mark, ...]:
    """No difference, and the smallest one that was to be found."""
    none = Mark(0.0, "0")
    if comparison.sensitivity is None:
        return (none,)
    size_ns = comparison.sensitivity.size_ns
    return none, Mark(size_ns, f"+{duration_text(size_ns)}")
