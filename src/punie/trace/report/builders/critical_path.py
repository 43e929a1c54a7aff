"""The critical path: what the answers waited for, what ran beside it, what the slow queries waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.report import figures
from punie.trace.report.document import Section, Table, notes
from punie.trace.report.inert import one_line
from punie.trace.units import count_text, duration_text, share_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from punie.trace.analysis.path.path_summary import NameOnPath, PathSummary, SlowQueries
    from punie.trace.report.document import Cell

_WORTH_A_TABLE: Final = 0.01  # of the wall time: below it the ledger says the same
_MOST_NAMES: Final = 10
_NAMES: Final = ("span", "phase", "on path", "share", "at work", "spans")
_SLOW: Final = ("phase", "slow", "typical", "more")


def path_sections(summary: PathSummary | None) -> Iterator[Section]:
    """By span name, where the path says more than the ledger; slow against typical, where queries differ."""
    if summary is None:
        return
    if _adds_to_phases(summary):
        yield Section(
            f"Critical path: what {count_text(summary.queries, 'answer', 'answers')} waited for",
            table=Table(_NAMES, tuple(map(_name_row, summary.names[:_MOST_NAMES]))),
            notes=notes(*_under_names(summary)),
        )
    if summary.slow is not None and any(phase.more_ns for phase in summary.slow.phases):
        yield _slow(summary.slow)


def path_line(summary: PathSummary | None) -> Iterator[str]:
    """The sentence that stands for the table by span name where it would repeat the ledger."""
    if summary is None or _adds_to_phases(summary):
        return
    beside = "nothing ran in parallel"
    if summary.parallel_ns:
        beside = f"only {duration_text(summary.parallel_ns)} of work ran in parallel"
    yield f"critical path: {beside}, so it is what the ledger shows"


def _adds_to_phases(summary: PathSummary) -> bool:
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


def _slow_queries_note(slow: SlowQueries) -> str:
    return (
        f"slow: {count_text(slow.slow, 'query', 'queries')} from the 95th percentile up; "
        f"typical: {slow.typical} around the median; slowest: trace {slow.trace_ids[0]}"
    )


def _name_row(name: NameOnPath) -> tuple[Cell, ...]:
    part = name.part
    return (
        one_line(part.name),
        part.phase.value,
        figures.duration(part.ns),
        figures.share(name.share),
        figures.duration(part.self_ns),
        figures.part(part.on_path, part.spans),
    )


def _slow(slow: SlowQueries) -> Section:
    rows = [
        (phase.phase.value, *map(figures.duration, (phase.slow_ns, phase.typical_ns, phase.more_ns)))
        for phase in slow.phases
    ]
    total = (slow.slow_wall_ns, slow.typical_wall_ns, slow.slow_wall_ns - slow.typical_wall_ns)
    table = Table(_SLOW, (*rows, ("wall time", *map(figures.duration, total))), frozenset({len(rows)}))
    title = "What makes the slow ones slow: means along the critical path"
    return Section(title, table=table, notes=notes(_slow_queries_note(slow)))
