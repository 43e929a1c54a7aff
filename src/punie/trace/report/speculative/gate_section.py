"""Whether every arm said the same, in a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.analysis.speculative.model import DivergenceKind
from punie.trace.report.rows import Table
from punie.trace.report.sections import Section
from punie.trace.units import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from punie.trace.analysis.speculative.benchmark import BenchAnalysis
    from punie.trace.analysis.speculative.losslessness import ArmLosslessness
    from punie.trace.analysis.speculative.model import Divergence

_NUMBERS: Final = ("compared", "equal", "ties", "corrupt", "unknown")
_MOST: Final = 8


def gate_section(analysis: BenchAnalysis) -> Section:
    """A row an arm, then the first differing token of each query that differs."""
    rows = tuple(_row(item) for item in analysis.gate.arms)
    return Section(
        "Outputs against the sequential baseline's",
        table=Table("", ("arm", *_NUMBERS, "lossless", "why"), rows, frozenset(_NUMBERS)),
        lines=tuple(_lines(analysis)),
    )


def _row(item: ArmLosslessness) -> tuple[str, ...]:
    kinds = (DivergenceKind.TIE, DivergenceKind.CORRUPTION, DivergenceKind.UNKNOWN)
    counts = (str(item.count(kind)) for kind in kinds)
    return item.arm, str(item.compared), str(item.equal), *counts, item.verdict.value, item.gap.value


def _lines(analysis: BenchAnalysis) -> Iterator[str]:
    if analysis.gate.unsteady:
        yield f"the sequential baseline itself differs between askings: {', '.join(analysis.gate.unsteady)}"
    found = [item for arm in analysis.gate.arms for item in arm.divergences]
    yield from (divergence_text(item) for item in found[:_MOST])
    if len(found) > _MOST:
        yield f"and {len(found) - _MOST} more"


def divergence_text(item: Divergence) -> str:
    """One first difference as a sentence."""
    where = f"{item.arm}: {item.query_id} turn {item.turn + 1}"
    times = f" ({count_text(item.places, 'asking')})"
    if item.token is None:
        return f"{where} differs, token not known{times}: {item.kind}"
    gap = "not looked at" if item.logit_gap is None else f"{item.logit_gap:.3g}"
    return (
        f"{where}, token {item.token}: {_token(item.expected)} expected, {_token(item.actual)} came; "
        f"logit gap {gap}{times}: {item.kind}"
    )


def _token(token: int | None) -> str:
    return "the end" if token is None else f"id {token}"
