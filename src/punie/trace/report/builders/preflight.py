"""The preflight: is the long benchmark worth it, and what does it rest on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from punie.trace.analysis.experiment.speedup import SpeedUp
from punie.trace.analysis.speculative.benchmark import DraftResult
from punie.trace.analysis.speculative.model import (
    THRESHOLD,
    BenchPlan,
    Estimate,
    Preflight,
    SpeedUpPrediction,
)
from punie.trace.analysis.speculative.prediction import headline
from punie.trace.model import Verdict
from punie.trace.report import figures
from punie.trace.report.builders.provenance import bench_provenance
from punie.trace.report.charts import Mark, Range, Ranges
from punie.trace.report.document import Answer, Cell, Document, Figure, Section, Table, Unit, notes
from punie.trace.report.published.preflight import publish_preflight
from punie.trace.report.wording.speculative import preflight_advice, preflight_reason
from punie.trace.units import bytes_text, factor_text, share_text

_THRESHOLD: Final = (Mark(THRESHOLD, factor_text(THRESHOLD)),)
_COLUMNS: Final = ("arm", "decode, predicted", "measured", "end to end, predicted", "measured")
_FITS: Final = {
    Verdict.YES: "it fits",
    Verdict.NO: "more than may be used",
    Verdict.UNDECIDED: "no bound to hold it against",
}


def build_preflight(
    source: str, plan: BenchPlan, preflight: Preflight, caveats: Sequence[str] = ()
) -> Document:
    """What `--preflight-only` prints; `caveats` stand beside every number."""
    best = preflight.best
    figure = figures.factor(None, absent=figures.NOT_KNOWN)
    if best is not None:
        value = headline(best)
        shown = f"{factor_text(value.value)} at k = {best.k}"
        figure = Figure(value.value, Unit.RATIO, shown, value.low, value.high)
    answer = Answer(
        "worth-measuring",
        "worth measuring?",
        preflight.worth,
        figure,
        preflight_reason(preflight),
        (preflight_advice(preflight),),
        _THRESHOLD,
    )
    sections = (Section("Verdict", answers=(answer,)), preflight_section(preflight, ()))
    return Document(
        source,
        partial(publish_preflight, preflight),
        tuple(caveats),
        sections,
        appendix=(bench_provenance(plan),),
    )


def preflight_section(preflight: Preflight, drafts: Sequence[DraftResult]) -> Section:
    """Predicted against measured for every draft and k, and the costs that the prediction rests on."""
    measured = {(d.arm.draft, d.arm.k): d for d in drafts if d.prediction is not None}
    rows = tuple(
        _row(prediction, measured.get((prediction.draft, prediction.k)))
        for prediction in preflight.predictions
    )
    overruled = preflight.worth is Verdict.NO and any(
        d.end_to_end is not None and d.end_to_end.estimate >= THRESHOLD for d in drafts
    )
    caveat = ("what was measured is above what was predicted, and is what counts",) if overruled else ()
    return Section(
        "Predicted by the preflight",
        table=Table(_COLUMNS, rows),
        notes=notes(*caveat, *_costs(preflight)),
        charts=_chart(preflight, measured),
    )


def _chart(
    preflight: Preflight, measured: Mapping[tuple[int | None, int | None], DraftResult]
) -> tuple[Ranges, ...]:
    """End to end: predicted beside measured."""
    rows = []
    for prediction in preflight.predictions:
        result = measured.get((prediction.draft, prediction.k))
        beside = _measured(result.end_to_end) if result and result.end_to_end else None
        rows.append(
            Range(f"draft{prediction.draft}-k{prediction.k}", _predicted(prediction.end_to_end), beside)
        )
    names = ("predicted", "measured") if any(row.beside for row in rows) else ("predicted",)
    return (Ranges("Speed-up end to end, predicted", tuple(rows), _THRESHOLD, names),) if rows else ()


def _row(prediction: SpeedUpPrediction, result: DraftResult | None) -> tuple[Cell, ...]:
    return (
        f"draft{prediction.draft}-k{prediction.k}",
        _predicted(prediction.decode),
        _measured(result.decode_against_sequential if result else None),
        _predicted(prediction.end_to_end),
        _measured(result.end_to_end if result else None),
    )


def _measured(speed_up: SpeedUp | None) -> Figure:
    return figures.factor(speed_up.estimate if speed_up else None)


def _predicted(estimate: Estimate | None) -> Figure:
    return figures.speed_up(estimate.value if estimate else None, estimate)


def _costs(preflight: Preflight) -> Iterator[str]:
    yield preflight_reason(preflight)
    for draft in preflight.drafts:
        acceptance, cost = draft.acceptance, draft.cost
        yield (
            f"draft{draft.draft}: acceptance {share_text(acceptance.value)} ({share_text(acceptance.low)} to "
            f"{share_text(acceptance.high)}), cost c = {cost.value:.3f} ({cost.low:.3f} to {cost.high:.3f})"
        )
    costs = ", ".join(f"V({item.tokens}) = {item.relative.value:.2f}" for item in preflight.verification)
    if costs:
        yield f"{preflight.target_kind} target: {costs}"
    if preflight.memory is not None:
        yield f"memory: {bytes_text(preflight.memory.total_bytes)} predicted: {_FITS[preflight.memory.fits]}"
    yield from preflight.notes
