"""Why a draft brings what it brings, and whether every arm said the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from punie.trace.analysis.experiment.losslessness import ArmLosslessness
from punie.trace.analysis.experiment.observation import Divergence, DivergenceKind
from punie.trace.analysis.speculative.benchmark import BenchAnalysis
from punie.trace.analysis.speculative.decomposition import Decomposition
from punie.trace.report import figures
from punie.trace.report.document import Cell, Figure, Section, Table, Unit, notes
from punie.trace.report.inert import some
from punie.trace.report.wording.speculative import LOSSLESSNESS_GAPS
from punie.trace.units import count_text

_OUTPUTS: Final = ("arm", "compared", "equal", "ties", "corrupt", "unknown", "lossless", "why")
_KINDS: Final = (DivergenceKind.TIE, DivergenceKind.CORRUPTION, DivergenceKind.UNKNOWN)
_MOST: Final = 8


def why_section(analysis: BenchAnalysis) -> Section:
    """The way from the baseline's time to the best draft's, in parts that add up; empty where it isn't known."""
    result = analysis.best_draft or next((d for d in analysis.drafts if d.decomposition), None)
    decomposition = result.decomposition if result else None
    if decomposition is None:
        return Section("")
    return Section(
        f"Why: from {decomposition.baseline} to {decomposition.arm}, a pass through the queries",
        table=_parts(decomposition),
        notes=notes("drafting is split by the formula with the preflight's costs; all else is measured"),
    )


def _parts(decomposition: Decomposition) -> Table:
    whole = decomposition.baseline_ns
    rows: list[tuple[Cell, ...]] = [(decomposition.baseline, figures.duration(whole), figures.share(1.0))]
    rows += [
        (part.cause.value, figures.signed_duration(part.ns), _added(part.ns, whole))
        for part in decomposition.parts
    ]
    rows.append(
        (
            decomposition.arm,
            figures.duration(decomposition.arm_ns),
            figures.share(decomposition.arm_ns / whole if whole else None),
        )
    )
    return Table(("", "time", "of baseline"), tuple(rows), frozenset({0, len(rows) - 1}))


def _added(ns: int, whole: int) -> Figure:
    return Figure(ns / whole, Unit.SHARE, f"{100 * ns / whole:+.1f} %") if whole else figures.share(None)


def outputs_section(analysis: BenchAnalysis) -> Section:
    """A row an arm, then the first differing token of each query that differs."""
    rows = tuple(map(_row, analysis.gate.arms))
    return Section(
        "Outputs against the sequential baseline's",
        table=Table(_OUTPUTS, rows),
        notes=notes(*_lines(analysis)),
    )


def _row(arm: ArmLosslessness) -> tuple[Cell, ...]:
    counts = (arm.compared, arm.equal, *map(arm.count, _KINDS))
    return (arm.arm, *map(figures.count, counts), arm.verdict.value, LOSSLESSNESS_GAPS[arm.gap])


def _lines(analysis: BenchAnalysis) -> Iterator[str]:
    if analysis.gate.unsteady:
        yield f"the sequential baseline itself differs between executions: {some(analysis.gate.unsteady)}"
    divergences = [item for arm in analysis.gate.arms for item in arm.divergences]
    yield from map(divergence_text, divergences[:_MOST])
    if len(divergences) > _MOST:
        yield f"and {len(divergences) - _MOST} more"


def divergence_text(item: Divergence) -> str:
    """One first difference as a sentence."""
    where = f"{item.arm}: {item.query_id} turn {item.turn + 1}"
    times = f" ({count_text(item.places, 'execution')})"
    if item.token is None:
        return f"{where} differs, token not known{times}: {item.kind}"
    gap = "not looked at" if item.logit_gap is None else f"{item.logit_gap:.3g}"
    return (
        f"{where}, token {item.token}: {_token(item.expected)} expected, {_token(item.actual)} came; "
        f"logit gap {gap}{times}: {item.kind}"
    )


def _token(token: int | None) -> str:
    return "the end" if token is None else f"id {token}"
