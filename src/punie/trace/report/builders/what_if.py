"""What if: the cost of a turn, what each change would save, and what reaches the target."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from punie.trace.report import figures
from punie.trace.report.charts import Range, Ranges
from punie.trace.report.document import Section, Table, notes
from punie.trace.units import count_text, duration_text, share_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from punie.trace.analysis.improvement.track_record import TrackRecord
    from punie.trace.analysis.what_if.cost_model import Coefficient, CostModel
    from punie.trace.analysis.what_if.prediction import Reach, Saving, WhatIf
    from punie.trace.report.document import Cell, Figure

_COLUMNS: Final = ("change", "saves a query", "95 % interval", "share")
_PAST: Final = "here before"
_ABOUT_PAST: Final = (
    "here before: in how many of improve's predictions of such a change on this machine the measured interval met the "
    "predicted one, and by how much of the wall time they were typically off"
)


def what_if_section(predicted: WhatIf | None, past: Sequence[TrackRecord] = ()) -> Section:
    """One row a change, the most saving first; changes that would save nothing are in the sentences below.

    `past` is how predictions of levers did on this machine: said beside those of the same lever.
    """
    if predicted is None:
        return Section("")
    shown = [saving for saving in predicted.savings if saving.at_most_ns]
    by_lever = {record.kind: record for record in past}
    records = [by_lever.get(saving.lever) for saving in shown]
    rows: tuple[tuple[Cell, ...], ...] = tuple(map(_row, shown))
    columns: tuple[str, ...] = _COLUMNS
    if any(records):
        from punie.trace.report.wording.improvement import track_cell

        columns = (*_COLUMNS, _PAST)
        rows = tuple((*row, track_cell(record)) for row, record in zip(rows, records, strict=True))
    return Section(
        "What if: predicted from these queries",
        table=Table(columns, rows),
        notes=notes(*_lines(predicted), *([_ABOUT_PAST] if any(records) else [])),
        charts=(_chart(predicted.savings),) if rows else (),
    )


def _chart(savings: Sequence[Saving]) -> Ranges:
    rows = (Range(saving.says, _drawn(saving)) for saving in savings if saving.at_most_ns)
    return Ranges("What each change would save, a query", tuple(rows), as_bars=True)


def _drawn(saving: Saving) -> Figure:
    return replace(figures.duration(saving.saved_ns), low=saving.low_ns, high=saving.high_ns)


def _row(saving: Saving) -> tuple[Cell, ...]:
    saved, most = saving.saved_ns or 0, saving.at_most_ns or 0
    bounds = figures.interval(figures.duration(saved), figures.duration(most))
    return (
        saving.says,
        figures.duration(saved) if most == saved else bounds,
        _interval(saving),
        figures.share(saving.share),
    )


def _interval(saving: Saving) -> Figure:
    if saving.low_ns is None or saving.high_ns is None:
        return figures.duration(None, absent=figures.NOT_KNOWN)
    return figures.interval(figures.duration(saving.low_ns), figures.duration(saving.high_ns))


def _lines(predicted: WhatIf) -> Iterator[str]:
    if predicted.why:
        yield f"not predicted: {predicted.why}"
    if predicted.model is not None:
        yield from _model(predicted.model)
    nothing = [saving.says for saving in predicted.savings if saving.at_most_ns == 0]
    if nothing:
        yield f"would save nothing here: {', '.join(nothing)}"
    for why in dict.fromkeys(saving.why for saving in predicted.savings if saving.why):
        yield f"not known: {', '.join(saving.says for saving in predicted.savings if saving.why == why)}: {why}"
    for reason, count in predicted.left_out.items():
        yield f"left out: {count_text(count, 'query', 'queries')} with {reason}"
    if predicted.reach is not None:
        yield _reach(predicted.reach, predicted)


def _model(model: CostModel) -> Iterator[str]:
    overhead_ns = round(model.overhead.value or 0)
    parts = [duration_text(overhead_ns)] if overhead_ns > 0 else []
    parts.extend(
        f"{_per_token(coefficient)} an {what}"
        for coefficient, what in (
            (model.per_uncached, "uncached prompt token"),
            (model.per_output, "output token"),
        )
        if coefficient.value is not None
    )
    error = ""
    if model.typical_error is not None:
        error = f"; a turn left out is predicted within {share_text(model.typical_error)}, typically"
    how = "prefill and decode fitted apart" if model.by_phase else "whole turns fitted"
    cost = f"a turn costs {' + '.join(parts)}" if parts else "the cost of a turn isn't known"
    yield f"{cost} ({count_text(model.turns, 'turn')}, {how}{error})"
    if model.unreported == model.turns:
        yield "no turn reports its cached tokens: what reading the prompt took is in what a turn costs"
    elif model.unreported:
        costs = "the prompt token's cost is" if model.by_phase else "the costs are"
        yield f"{model.unreported} of {model.turns} turns don't report their cached tokens: {costs} from the others"


def _per_token(coefficient: Coefficient) -> str:
    value, low, high = coefficient.value or 0.0, coefficient.low or 0.0, coefficient.high or 0.0
    return f"{duration_text(round(value))} (±{duration_text(round((high - low) / 2))})"


def _reach(reach: Reach, predicted: WhatIf) -> str:
    target, now, then = map(duration_text, (reach.target_ns, reach.now_ns, reach.then_ns))
    if reach.unpredicted_ns is not None:
        slowest = duration_text(reach.unpredicted_ns)
        return f"target {target}: not known, the slowest query left out takes {slowest}"
    if reach.reached and not reach.changes:
        return f"target {target}: the slowest query's median, {now}, is under it as it is"
    if not reach.reached:
        least = f", with everything {then}" if reach.then_ns < reach.now_ns else ""
        return f"target {target}: nothing of this reaches it; the slowest query takes {now}{least}"
    texts = {saving.slug: saving.says for saving in predicted.savings}
    changes = " + ".join(texts[slug] for slug in reach.changes)
    surely = "" if reach.sure else ", not at the low end of the intervals"
    return f"target {target}: {changes} reaches it{surely}: the slowest query from {now} to {then}"
