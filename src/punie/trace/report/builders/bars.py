"""Ledgers as bars: each as long as the wall time that its phases sum to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.report import figures
from punie.trace.report.charts import Bar, Segment, StackedBars
from punie.trace.report.figures import Unit
from punie.trace.report.inert import one_line
from punie.trace.units import count_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from punie.trace.analysis.summary.parts import Part
    from punie.trace.analysis.summary.summary import QuerySummary
    from punie.trace.analysis.summary.totals import Totals

MOST_BARS: Final = 40


def ledger_bars(whole: Totals | Part, queries: Sequence[QuerySummary] = ()) -> StackedBars:
    """All of it as one bar, then each query that has a time, the slowest first, on one scale."""
    by_wall = sorted(queries, key=lambda query: query.wall.mean_ns if query.wall else -1, reverse=True)
    timed = ((query.query_id, query.totals) for query in by_wall[:MOST_BARS])
    slowest = [(name, totals) for name, totals in timed if totals is not None]
    longest_ns = max((totals.wall_ns / totals.answers for _, totals in slowest), default=0.0)
    all_of_them = f"all, {count_text(whole.answers, 'query', 'queries')}"
    bars = [Bar(all_of_them, segments(whole), figures.duration(whole.wall_ns), whole.wall_ns)]
    bars += [
        Bar(
            one_line(name),
            segments(totals),
            figures.duration(totals.wall.mean_ns),
            longest_ns * totals.answers,
        )
        for name, totals in slowest
    ]
    return StackedBars("Wall time by phase", Unit.NANOSECONDS, tuple(bar for bar in bars if bar.full))


def part_bars(named: Sequence[tuple[str, Part]]) -> StackedBars:
    """A bar a part: a query in the mean, on one scale."""
    answered = [(name, part) for name, part in named if part.answers and part.wall_ns]
    longest_ns = max((part.wall_ns / part.answers for _, part in answered), default=0.0)
    bars = (
        Bar(name, segments(part), figures.duration(part.wall_ns / part.answers), longest_ns * part.answers)
        for name, part in answered
    )
    return StackedBars("Wall time of a query, by phase", Unit.NANOSECONDS, tuple(bars))


def segments(totals: Totals | Part) -> tuple[Segment, ...]:
    """The phases in the order of the ledger, in nanoseconds."""
    return tuple(Segment(phase.phase.value, phase.ns) for phase in totals.phases)
