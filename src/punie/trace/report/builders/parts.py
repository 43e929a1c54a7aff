"""Many queries as a line a day or a model, from spans that were read or from a database's sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from punie.trace.analysis.statistics.spread import P95_FROM
from punie.trace.analysis.summary.database_totals import DatabaseTotals, Where
from punie.trace.analysis.summary.parts import GroupBy, Part
from punie.trace.report import figures
from punie.trace.report.builders.bars import ledger_bars, part_bars
from punie.trace.report.builders.integrity import amount, integrity_section
from punie.trace.report.builders.provenance import run_provenance, totals_provenance
from punie.trace.report.builders.run import what_was_run
from punie.trace.report.builders.totals import breakdown, generation_share
from punie.trace.report.content import RunContent
from punie.trace.report.document import Cell, Document, Section, Table, notes
from punie.trace.report.inert import one_line
from punie.trace.report.published.parts import ALL, NOT_COMPUTED, part_rows, publish_parts, publish_totals
from punie.trace.units import count_text, duration_text

_MOST_PARTS: Final = 200
_NO_MODEL: Final = "no model named"
_TITLES: Final[Mapping[GroupBy, str]] = {GroupBy.DAY: "By day, UTC", GroupBy.MODEL: "By model"}
_KEYS: Final[Mapping[GroupBy, str]] = {GroupBy.DAY: "day", GroupBy.MODEL: "model name"}  # "model" is a phase
_WHERE: Final[Mapping[Where, str]] = {
    Where.ONE_SERVER: "added up in the database; only sums travelled",
    Where.EACH_SHARD: "added up on each shard; only sums travelled",
    Where.GATHERED: "added up on one server: the spans travelled there from the others",
    Where.FILES: "added up by DuckDB on this machine",
}


def build_parts(report: RunContent, total: Part, by: GroupBy, parts: tuple[Part, ...]) -> Document:
    """A report's queries by day or by model, after what is wrong with their traces."""
    wrong = integrity_section(report)
    fine = () if wrong else (f"integrity: nothing wrong in {amount(report.about)}",)
    return Document(
        title=report.about.run_id or report.about.source,
        data=partial(publish_parts, report, total, by, parts),
        lines=(*what_was_run(report.about, report.analysis), *fine),
        sections=tuple(filter(None, (wrong, *_sections(total, by, parts)))),
        rows=partial(part_rows, total, parts),
        appendix=(run_provenance(report),),
    )


def build_totals(totals: DatabaseTotals) -> Document:
    """What a database added up, and what was not computed."""
    return Document(
        title=totals.source,
        data=partial(publish_totals, totals),
        lines=(_WHERE[totals.where], *((f"memory: {totals.memory}",) if totals.memory else ())),
        sections=(
            *filter(None, _sections(totals.total, totals.by, totals.parts)),
            Section("Not computed here", notes=notes(*_aside(totals))),
        ),
        rows=partial(part_rows, totals.total, totals.parts if totals.by else None),
        appendix=(totals_provenance(totals),),
    )


def _aside(totals: DatabaseTotals) -> Iterator[str]:
    apart = totals.total.needs_tree
    if apart:
        more = ", …" if apart > len(totals.named) else ""
        yield (
            f"{count_text(apart, 'trace')} more can only be judged with the tree, and "
            f"{'is' if apart == 1 else 'are'} in no figure: {', '.join(totals.named)}{more}"
        )
    if totals.may_be_cut:
        yield "as many traces as limit= allows: there may be more"
    read = "the spans" if totals.where is Where.FILES else "the newest traces"
    yield f"{', '.join(NOT_COMPUTED)}: without --in-database {read} are read, and all of it is computed"


def _sections(total: Part, by: GroupBy | None, parts: Sequence[Part]) -> Iterator[Section]:
    repeats = f", {total.cached_repeats} from a warm prompt cache" if total.cached_repeats else ""
    counts = f"in no figure: {total.warmup} warm-up, {total.failed} failed or disturbed{repeats}"
    if not total.answers:
        yield Section("No answered query among them: no figures", notes=notes(counts))
    elif by is None:
        yield replace(breakdown(total, *_wall(total), counts), charts=(ledger_bars(total),))
    else:
        shown = _largest(parts)
        named = [*((one_line(part.name) or _NO_MODEL, part) for part in shown), (ALL, total)]
        yield _figures(by, named, (*_legend(named), *_left_out(shown, parts), counts))
        yield _phases(by, named)


def _largest(parts: Sequence[Part]) -> Sequence[Part]:
    """As many as anybody reads, those with the most queries, in their order; JSON and CSV have all."""
    if len(parts) <= _MOST_PARTS:
        return parts
    at = sorted(range(len(parts)), key=lambda index: (-parts[index].answers, index))[:_MOST_PARTS]
    return [parts[index] for index in sorted(at)]


def _left_out(shown: Sequence[Part], parts: Sequence[Part]) -> Iterator[str]:
    if len(shown) < len(parts):
        yield f"shown: {len(shown):,} of {len(parts):,}, those with the most queries; JSON and CSV have all"


def _wall(part: Part) -> Iterator[str]:
    if part.wall is not None:
        p95 = part.wall.p95_ns
        last = f"p95 needs {P95_FROM} queries" if p95 is None else f"p95 {duration_text(p95)}"
        mean, median = map(duration_text, (part.wall.mean_ns, part.wall.median_ns))
        yield f"wall time of a query: mean {mean}, p50 {median}, {last}"


def _legend(named: Sequence[tuple[str, Part]]) -> Iterator[str]:
    _, total = named[-1]
    if total.needs_tree:
        yield "aside: traces that only the tree can judge, in no figure"
    if any(part.wall is not None and part.wall.p95_ns is None for _, part in named):
        yield f"p95 –: fewer than {P95_FROM} queries"
    if not all(part.network_known for _, part in named if part.wall is not None):
        yield "http – or ≥: some server could not be seen into, so the network is not known"


def _figures(by: GroupBy, named: Sequence[tuple[str, Part]], lines: Sequence[str]) -> Section:
    _, total = named[-1]
    aside = ("aside",) if total.needs_tree else ()
    columns = (_KEYS[by], "queries", "failed", *aside, "mean", "p50", "p95", "generation")
    rows = tuple((name, *_figures_row(part, aside=bool(aside))) for name, part in named)
    table = Table(columns, rows, frozenset({len(rows) - 1}))
    return Section(_TITLES[by], table=table, notes=notes(*lines))


def _figures_row(part: Part, *, aside: bool) -> tuple[Cell, ...]:
    counts = (part.answers, part.failed, *((part.needs_tree,) if aside else ()))
    wall = part.wall
    return (
        *map(figures.count, counts),
        *(
            figures.duration(ns)
            for ns in ((wall.mean_ns, wall.median_ns, wall.p95_ns) if wall else (None,) * 3)
        ),
        figures.share(generation_share(part) if wall else None),
    )


def _phases(by: GroupBy, named: Sequence[tuple[str, Part]]) -> Section:
    """Every phase in which any query spent time."""
    _, total = named[-1]
    ranks = [rank for rank, entry in enumerate(total.phases) if entry.ns or not entry.known]
    rows = tuple((name, *(_seconds(part, rank) for rank in ranks)) for name, part in named)
    columns = (_KEYS[by], *(total.phases[rank].phase.value for rank in ranks))
    return Section(
        "Seconds a query, by phase",
        table=Table(columns, rows, frozenset({len(rows) - 1})),
        charts=(part_bars(named),) if total.answers else (),
    )


def _seconds(part: Part, rank: int) -> Cell:
    if not part.answers:
        return figures.seconds(None)
    entry = part.phases[rank]
    ns = entry.ns if entry.known else entry.ns - entry.contested_ns  # a bound that holds
    return figures.seconds(ns / part.answers, known=entry.known)
