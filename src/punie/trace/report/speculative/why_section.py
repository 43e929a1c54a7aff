"""Why a draft brings what it brings, and what had been predicted, in a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.model import Verdict
from punie.trace.report.rows import Table
from punie.trace.report.sections import Section
from punie.trace.units import bytes_text, duration_text, factor_text, share_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from punie.trace.analysis.speculative.benchmark import BenchAnalysis, DraftResult
    from punie.trace.analysis.speculative.decomposition import Decomposition
    from punie.trace.analysis.speculative.model import Estimate, Preflight

_FITS: Final = {
    Verdict.YES: "it fits",
    Verdict.NO: "more than may be used",
    Verdict.UNDECIDED: "no bound to hold it against",
}


def why_sections(analysis: BenchAnalysis) -> Iterator[Section]:
    """The way from the baseline's time to the best draft's, in parts that add up."""
    result = analysis.best_draft or next((d for d in analysis.drafts if d.decomposition), None)
    found = result.decomposition if result else None
    if found is not None:
        yield Section(
            f"Why: from {found.baseline} to {found.arm}, a pass through the queries",
            table=_parts(found),
            lines=("drafting is split by the formula with the preflight's costs; all else is measured",),
        )


def _parts(found: Decomposition) -> Table:
    rows = [(found.baseline, duration_text(found.baseline_ns), "100.0 %")]
    rows += [(part.cause.value, _signed(part.ns), _share(part.ns, found.baseline_ns)) for part in found.parts]
    rows.append((found.arm, duration_text(found.arm_ns), _whole(found.arm_ns, found.baseline_ns)))
    return Table(
        "",
        ("", "time", "of baseline"),
        tuple(rows),
        frozenset({"time", "of baseline"}),
        frozenset({0, len(rows) - 1}),
    )


def _signed(ns: int) -> str:
    return f"+{duration_text(ns)}" if ns > 0 else duration_text(ns)


def _share(ns: int, whole: int) -> str:
    return f"{100 * ns / whole:+.1f} %" if whole else "–"


def _whole(ns: int, whole: int) -> str:
    return share_text(ns / whole) if whole else "–"


def preflight_section(preflight: Preflight, drafts: Sequence[DraftResult]) -> Section:
    """Predicted against measured for every draft and k, and the costs that the prediction rests on."""
    measured = {(d.arm.draft, d.arm.k): d for d in drafts if d.prediction is not None}
    rows = []
    for prediction in preflight.predictions:
        result = measured.get((prediction.draft, prediction.k))
        rows.append(
            (
                f"draft{prediction.draft}-k{prediction.k}",
                _estimate(prediction.decode),
                _measured(
                    result.decode_against_sequential.estimate
                    if result and result.decode_against_sequential
                    else None
                ),
                _estimate(prediction.end_to_end),
                _measured(result.end_to_end.estimate if result and result.end_to_end else None),
            )
        )
    columns = ("arm", "decode, predicted", "measured", "end to end, predicted", "measured ")
    return Section(
        "Predicted by the preflight",
        table=Table("", columns, tuple(rows), frozenset()),
        lines=tuple(_costs(preflight)),
    )


def _measured(value: float | None) -> str:
    return "–" if value is None else factor_text(value)


def _estimate(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    return f"{factor_text(estimate.value)} ({estimate.low:.2f} to {estimate.high:.2f})"


def _costs(preflight: Preflight) -> Iterator[str]:
    yield preflight.why
    for draft in preflight.drafts:
        yield (
            f"draft{draft.draft}: acceptance {share_text(draft.acceptance.value)} "
            f"({share_text(draft.acceptance.low)} to {share_text(draft.acceptance.high)}), "
            f"cost c = {draft.cost.value:.3f} ({draft.cost.low:.3f} to {draft.cost.high:.3f})"
        )
    costs = ", ".join(f"V({item.tokens}) = {item.relative.value:.2f}" for item in preflight.verification)
    if costs:
        yield f"{preflight.target_kind} target: {costs}"
    if preflight.memory is not None:
        yield f"memory: {bytes_text(preflight.memory.total_bytes)} predicted: {_FITS[preflight.memory.fits]}"
    yield from preflight.notes
