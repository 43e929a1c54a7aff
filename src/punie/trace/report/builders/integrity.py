"""What is wrong with the traces, worst first: shown before any number that is made from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.analysis.integrity.finding import IntegrityFinding
from punie.trace.analysis.verdicts.assessment import MISSING_QUERY
from punie.trace.model import PHASE_GROUP, Group
from punie.trace.report.document import Note, Section
from punie.trace.report.inert import one_line, some
from punie.trace.units import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from punie.trace.analysis.records import PlannedQuery
    from punie.trace.analysis.summary.summary import RunAnalysis
    from punie.trace.analysis.verdicts.assessment import Integrity
    from punie.trace.report.content import RunContent, SourceInfo

_WORST_FIRST: Final = ("no-verdict", "downgraded", "shown")
_EXAMPLES: Final = 3
_NAMED: Final = 3  # queries of a kind


def integrity_section(report: RunContent) -> Section:
    """Every flaw with examples, and how each query's generation is known; empty where nothing is wrong."""
    flaws = tuple(_flaws(report.analysis))
    known = (Note(line) for line in known_from(report.analysis)) if flaws else ()
    return Section(f"Integrity: {amount(report.about)}", notes=(*flaws, *known))


def amount(about: SourceInfo) -> str:
    """How much was read."""
    return f"{count_text(about.spans, 'span')} of {count_text(about.traces, 'trace')}"


def _flaws(analysis: RunAnalysis) -> Iterator[Note]:
    if analysis.missing:
        yield _missing(analysis.missing)
    items = [item for item in analysis.integrity if item.count and item.slug != MISSING_QUERY]
    yield from map(_flaw, sorted(items, key=lambda item: _WORST_FIRST.index(item.effect)))


def _flaw(item: Integrity) -> Note:
    line = f"{item.slug} ({item.count}, {item.effect})"
    if not isinstance(item, IntegrityFinding):
        return Note(line)
    return Note(f"{line}: {item.message}", tuple(_examples(item)))


def _examples(item: IntegrityFinding) -> Iterator[str]:
    yield from map(one_line, item.examples[:_EXAMPLES])
    more = len(item.examples[_EXAMPLES:]) + item.examples_left_out
    if more:
        yield f"and {more} more"
    yield f"→ {item.remedy}"


def _missing(planned: Sequence[PlannedQuery]) -> Note:
    names = [f"{query.query_id} #{query.server_start}.{query.repeat}" for query in planned]
    return Note(
        f"{count_text(len(planned), 'planned query has', 'planned queries have')} no trace: {some(names)}"
    )


def known_from(analysis: RunAnalysis) -> Iterator[str]:
    """How each query's generation is known: one answer for all, or which queries have which, the fewest first."""
    queries: dict[str, list[str]] = {}
    for record in analysis.records:
        provenances = {
            how.value
            for phase, hows in record.ledger.provenance.items()
            if PHASE_GROUP[phase] is Group.GENERATION
            for how in hows
        }
        name = f"{record.query_id} #{record.server_start}.{record.repeat}"
        queries.setdefault(" + ".join(sorted(provenances)) or "nothing", []).append(name)
    if len(queries) == 1:
        yield f"generation is known from: {next(iter(queries))} (every query)"
    elif queries:
        kinds = sorted(queries.items(), key=lambda item: (len(item[1]), item[0]))
        yield "generation is known from: " + "; ".join(
            f"{how} ({count_text(len(names), 'query', 'queries')}: {some(names, _NAMED)})"
            for how, names in kinds
        )
