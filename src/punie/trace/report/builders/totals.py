"""Where the time went: the ledger of the answers, and how far they spread."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from punie.trace.model import PHASE_GROUP, Group
from punie.trace.report import figures
from punie.trace.report.builders.bars import ledger_bars
from punie.trace.report.builders.critical_path import path_line
from punie.trace.report.document import Section, Table, notes
from punie.trace.units import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from punie.trace.analysis.statistics.spread import Spread
    from punie.trace.analysis.summary.parts import Part
    from punie.trace.analysis.summary.summary import RunAnalysis
    from punie.trace.analysis.summary.totals import GroupTotal, PhaseTotal, Totals
    from punie.trace.report.document import Cell

_LEDGER: Final = ("phase", "time", "share", "contested", "known from")
_SPREAD: Final = ("", "n", "mean", "median", "p95", "p99")


def ledger_section(analysis: RunAnalysis) -> Section:
    """The ledger of the answered queries; empty where there is none."""
    if analysis.totals is None:
        return Section("")
    section = breakdown(analysis.totals, *path_line(analysis.critical_path))
    return replace(section, charts=(ledger_bars(analysis.totals, analysis.queries),))


def failed_ledger_section(analysis: RunAnalysis) -> Section:
    """What the wrong and failed answers took, which is in no other figure; empty where there are none."""
    failed = analysis.failed_totals
    if failed is None:
        return Section("")
    excluded = f"excluded from averages: {count_text(failed.answers, 'failed query', 'failed queries')}"
    return breakdown(failed, title=f"Beside it, {excluded}" if analysis.totals else excluded.capitalize())


def breakdown(totals: Totals | Part, *lines: str, title: str = "") -> Section:
    """Every group with its phases: time, share, contested time, and how it is known."""
    rows: list[tuple[Cell, ...]] = []
    strong: set[int] = set()
    for group in totals.groups:
        phases = [
            phase
            for phase in totals.phases
            if PHASE_GROUP[phase.phase] is group.group and (phase.ns or not phase.known)
        ]
        if phases:
            strong.add(len(rows))
            rows += _group_rows(group, phases)
    strong.add(len(rows))
    rows.append(("wall time", figures.duration(totals.wall_ns), figures.share(1.0), "", "the parts' sum"))
    answered = count_text(totals.answers, "answered query", "answered queries")
    title = title or f"Where the time went: {answered}"
    return Section(title, table=Table(_LEDGER, tuple(rows), frozenset(strong)), notes=notes(*lines))


def _group_rows(group: GroupTotal, phases: list[PhaseTotal]) -> Iterator[tuple[Cell, ...]]:
    """The group, and below it its phases, unless the only one is called as the group is."""
    if [phase.phase.value for phase in phases] == [group.group.value]:
        yield (group.group.value, *_time(group), _known_from(phases[0]))
        return
    yield (group.group.value, *_time(group), "")
    yield from ((f"  {phase.phase.value}", *_time(phase), _known_from(phase)) for phase in phases)


def _known_from(total: PhaseTotal) -> str:
    return ", ".join(how.value for how in total.provenance)


def _time(entry: PhaseTotal | GroupTotal) -> tuple[Cell, ...]:
    contested = figures.duration(entry.contested_ns) if entry.contested_ns else ""
    if not entry.known:
        # what another group may have been at work in is no part of a bound that holds
        at_least = figures.at_least(entry.ns - entry.contested_ns)
        return at_least, figures.share(None, absent=figures.NOT_KNOWN), contested
    return figures.duration(entry.ns), figures.share(entry.share), contested


def spread_section(analysis: RunAnalysis) -> Section:
    """Spreads: wall time, time to first chunk, time per output token, warm-up."""
    totals = analysis.totals
    spreads = {
        "wall time": totals.wall if totals else None,
        "time to first chunk": totals.time_to_first_chunk if totals else None,
        "time per output token": totals.token_time.spread if totals else None,
        "warm-up, apart": analysis.warmup_wall,
    }
    rows = tuple((name, *_spread(spread)) for name, spread in spreads.items() if spread is not None)
    return Section("Spread", table=Table(_SPREAD, rows))


def _spread(values: Spread) -> tuple[Cell, ...]:
    times = (values.mean_ns, values.median_ns, values.p95_ns, values.p99_ns)
    return (figures.count(values.count), *map(figures.duration, times))


def generation_share(part: Totals | Part) -> float:
    """The part of the wall time that the model took."""
    return next(entry.share for entry in part.groups if entry.group is Group.GENERATION)
