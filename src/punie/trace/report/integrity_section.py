"""What is wrong with the traces, for every format that people read: each flaw with examples under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from punie.trace.analysis.integrity.finding import IntegrityFinding
from punie.trace.analysis.verdicts.assessment import MISSING_QUERY
from punie.trace.report.rows import one_line
from punie.trace.units import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from punie.trace.analysis.records import PlannedQuery
    from punie.trace.analysis.summary.summary import RunAnalysis
    from punie.trace.analysis.verdicts.assessment import Integrity

_WORST_FIRST: Final = ("no-verdict", "downgraded", "shown")
_EXAMPLES: Final = 3
_NAMED_QUERIES: Final = 10


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong and how often, and the cases that stand under it, a line each."""

    line: str
    examples: tuple[str, ...] = ()


def flaws(analysis: RunAnalysis) -> tuple[Flaw, ...]:
    """What is wrong with the traces, worst first; said before any number."""
    items = sorted(
        (item for item in analysis.integrity if item.count and item.slug != MISSING_QUERY),
        key=lambda item: _WORST_FIRST.index(item.effect),
    )
    missing = (_missing(analysis.missing),) if analysis.missing else ()
    return (*missing, *map(_flaw, items))


def integrity_lines(analysis: RunAnalysis, indent: str) -> tuple[str, ...]:
    """The same as lines, the examples moved in by `indent`."""
    return tuple(
        line for flaw in flaws(analysis) for line in (flaw.line, *(indent + said for said in flaw.examples))
    )


def _flaw(item: Integrity) -> Flaw:
    line = f"{item.slug} ({item.count}, {item.effect})"
    if not isinstance(item, IntegrityFinding):
        return Flaw(line)
    return Flaw(f"{line}: {item.message}", tuple(_examples(item)))


def _examples(item: IntegrityFinding) -> Iterator[str]:
    yield from map(one_line, item.examples[:_EXAMPLES])
    more = len(item.examples[_EXAMPLES:]) + item.examples_left_out
    if more:
        yield f"and {more} more"


def _missing(planned: tuple[PlannedQuery, ...]) -> Flaw:
    names = ", ".join(f"{p.query_id} #{p.server_start}.{p.repeat}" for p in planned[:_NAMED_QUERIES])
    more = f" and {len(planned) - _NAMED_QUERIES} more" if len(planned) > _NAMED_QUERIES else ""
    return Flaw(
        f"{count_text(len(planned), 'planned query has', 'planned queries have')} no trace: {names}{more}"
    )
