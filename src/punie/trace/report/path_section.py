"""The critical path in a report: what the answers waited for, what ran beside it, what the slow queries waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from punie.trace.report.rows import Table, one_line
from punie.trace.units import count_text, duration_text, share_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from punie.trace.analysis.path.path_summary import NameOnPath, PathSummary, SlowQueries

_WORTH_A_TABLE: Final = 0.01  # of the wall time: below it the ledger says the same
_MOST_NAMES: Final = 10
_NAME_NUMBERS: Final = ("on path", "share", "at work", "spans")
_SLOW_NUMBERS: Final = ("slow", "typical", "more")


@dataclass(frozen=True, slots=True)
class Explained:
    """A table and the sentences under it."""

    table: Table
    lines: tuple[str, ...]


def path_tables(summary: PathSummary | None) -> tuple[Explained, ...]:
    """By span name, where the path says more than the ledger; slow against typical, where queries differ."""
    if summary is None:
        return ()
    tables = []
    if _says_more(summary):
        tables.append(Explained(_names(summary), tuple(_under_names(summary))))
    if summary.slow is not None and any(phase.more_ns for phase in summary.slow.phases):
        tables.append(Explained(_slow(summary.slow), (_who_is_slow(summary.slow),)))
    return tuple(tables)


def path_line(summary: PathSummary | None) -> str:
    """The sentence that stands for the table by span name where it would repeat the ledger; else empty."""
    if summary is None or _says_more(summary):
        return ""
    beside = "nothing ran in parallel"
    if summary.parallel_ns:
        beside = f"only {duration_text(summary.parallel_ns)} of work ran in parallel"
    return f"critical path: {beside}, so it is what the ledger shows"


def _says_more(summary: PathSummary) -> bool:
    """Whether things ran side by side for long enough, or the path gives enough time to another phase."""
    return max(summary.parallel_ns, summary.moved_ns) >= _WORTH_A_TABLE * max(summary.wall_ns, 1)


def _under_names(summary: PathSummary) -> Iterator[str]:
    more = len(summary.names) - _MOST_NAMES
    if more > 0:
        yield f"and {count_text(more, 'more kind of span', 'more kinds of spans')}"
    if summary.parallel_ns:
        share = share_text(summary.parallel_ns / summary.wall_ns)
        yield f"{duration_text(summary.parallel_ns)} of work ran beside other work: {share} of the wall time"
    if summary.moved_ns:
        yield f"{duration_text(summary.moved_ns)} of the path is of another phase than in the ledger"


def _who_is_slow(slow: SlowQueries) -> str:
    return (
        f"slow: {count_text(slow.slow, 'query', 'queries')} from the 95th percentile up; "
        f"typical: {slow.typical} around the median; slowest: trace {slow.trace_ids[0]}"
    )


def _names(summary: PathSummary) -> Table:
    return Table(
        f"Critical path: what {count_text(summary.queries, 'answer', 'answers')} waited for",
        ("span", "phase", *_NAME_NUMBERS),
        tuple(_name_row(name) for name in summary.names[:_MOST_NAMES]),
        frozenset(_NAME_NUMBERS),
    )


def _name_row(name: NameOnPath) -> tuple[str, ...]:
    part = name.part
    spans = f"{part.on_path} of {part.spans}"
    return (
        one_line(part.name),
        part.phase.value,
        duration_text(part.ns),
        share_text(name.share),
        duration_text(part.self_ns),
        spans,
    )


def _slow(slow: SlowQueries) -> Table:
    total = (slow.slow_wall_ns, slow.typical_wall_ns, slow.slow_wall_ns - slow.typical_wall_ns)
    rows = [
        (phase.phase.value, *map(duration_text, (phase.slow_ns, phase.typical_ns, phase.more_ns)))
        for phase in slow.phases
    ]
    return Table(
        "What makes the slow ones slow: means along the critical path",
        ("phase", *_SLOW_NUMBERS),
        (*rows, ("wall time", *map(duration_text, total))),
        frozenset(_SLOW_NUMBERS),
        frozenset({len(rows)}),
    )
