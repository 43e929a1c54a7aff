"""The queries of a run one by one, or over their repeats, and those that failed."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from punie.trace.model import Disturbance, Group
from punie.trace.report import figures
from punie.trace.report.document import Section, Table, notes
from punie.trace.report.inert import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from punie.trace.analysis.records import QueryRecord
    from punie.trace.analysis.summary.summary import QuerySummary, RunAnalysis
    from punie.trace.report.document import Cell

_Query = TypeVar("_Query")
MOST_QUERIES: Final = 40  # what one still reads; JSON and CSV have all
_COLUMNS: Final = ("query", "wall", "gen", "tool", "turns", "tools", "in", "cached", "out", "score")
DISTURBED: Final = MappingProxyType(
    {
        Disturbance.SERVER_WORK: "asked when the server may still have worked on a query that was given up",
        Disturbance.TOOL_THREAD: "asked while a tool of an earlier query ran on",
        Disturbance.CLOCK_STEP: "asked while the wall clock was set",
    }
)
_REPEATED: Final = ("query", "asked", "right", "counted", "mean", "median", "max", "gen", "tool")


def queries_section(analysis: RunAnalysis) -> Section:
    """One row a query asked; where queries were repeated, one row a query over its repeats. The slowest first."""
    if any(summary.asked > 1 for summary in analysis.queries):
        return _repeated(analysis.queries)
    shown = _slowest(analysis.records, lambda record: record.wall_ns)
    title = _title("Queries", len(shown), len(analysis.records))
    return Section(title, table=Table(_COLUMNS, tuple(map(_query_row, shown))))


def _slowest(queries: Sequence[_Query], wall_ns: Callable[[_Query], int]) -> Sequence[_Query]:
    """The slowest first, and of more than anybody reads them alone."""
    return sorted(queries, key=wall_ns, reverse=True)[:MOST_QUERIES]


def _title(title: str, shown: int, count: int) -> str:
    rest = f"the {shown} slowest of {count:,} (JSON and CSV have all)"
    return f"{title}, the slowest first" if shown == count else f"{title}: {rest}"


def _repeated(summaries: Sequence[QuerySummary]) -> Section:
    shown = _slowest(summaries, lambda one: one.wall.mean_ns if one.wall else 0)
    title = _title("Queries over their repeats", len(shown), len(summaries))
    return Section(title, table=Table(_REPEATED, tuple(map(_repeated_row, shown))))


def _repeated_row(summary: QuerySummary) -> tuple[Cell, ...]:
    right = figures.count(summary.right if summary.scored else None)
    totals = summary.totals
    counted = totals.answers if totals else 0
    head = (
        one_line(summary.query_id),
        figures.count(summary.asked),
        right,
        # only where something is excluded from averages
        figures.count(counted) if counted != summary.asked else "",
    )
    if totals is None:
        return (*head, *["–"] * 5)
    shares = {item.group: figures.percent(item.share) for item in totals.groups}
    walls = (totals.wall.mean_ns, totals.wall.median_ns, totals.wall.max_ns)
    return (*head, *map(figures.duration, walls), shares[Group.GENERATION], shares[Group.TOOL])


def _query_row(record: QueryRecord) -> tuple[Cell, ...]:
    wall = record.wall_ns
    counts = (
        record.model_requests,
        record.tool_calls,
        record.input_tokens,
        record.cached_tokens,
        record.output_tokens,
    )
    return (
        one_line(record.query_id),
        figures.duration(wall),
        *(
            figures.percent(record.ledger.group_ns(group) / wall if wall else None)
            for group in (Group.GENERATION, Group.TOOL)
        ),
        *map(figures.count, counts),
        score(record),
    )


def score(record: QueryRecord) -> str:
    """One word: what was wrong stands in the list of failures."""
    if record.error is not None:
        return "error"
    if record.disturbed_by is not None:
        return "disturbed"
    if record.ok is None:
        return "–"
    return "ok" if record.ok else "failed"


def failed_section(analysis: RunAnalysis) -> Section:
    """Each failed or disturbed query with its reasons; none of them is in an average. Of many the first."""
    what = "Failed or disturbed" if analysis.disturbed else "Failed"
    return Section(f"{what}, excluded from averages", notes=notes(*_failures(analysis)))


def _failures(analysis: RunAnalysis) -> Iterator[str]:
    for record in analysis.warmup:
        if not (record.error is None and record.ok is not False):
            yield f"warm-up {_failure(record)}"
    excluded = (*analysis.failed, *analysis.disturbed)
    yield from map(_failure, excluded[:MOST_QUERIES])
    more = len(excluded) - MOST_QUERIES
    if more > 0:
        yield f"and {more:,} more (JSON and CSV have all)"


def _failure(record: QueryRecord) -> str:
    scored = "; ".join(record.failure_details) or ", ".join(record.failures)
    reasons = record.error or scored or (DISTURBED[record.disturbed_by] if record.disturbed_by else "")
    where = f"{record.query_id} #{record.server_start}.{record.repeat}"
    return f"{where}: {one_line(reasons)} (trace {record.trace_id})"
