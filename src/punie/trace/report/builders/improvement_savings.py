"""Where an improvement found time to be saved: levers and causes in the user's own code in one order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.analysis.improvement.model import BASELINE, Stage
from punie.trace.analysis.tuning.worth import THRESHOLD as WORTH_TRAINING
from punie.trace.analysis.what_if.improvements import LESS_OUTPUT
from punie.trace.report import figures
from punie.trace.report.document import Figure, Note, Section, Table, Unit
from punie.trace.report.wording.causes import cause_name
from punie.trace.report.wording.improvement import stage_arm
from punie.trace.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from punie.trace.report.content import ImprovementContent
    from punie.trace.report.document import Cell

_COLUMNS: Final = ("where", "a query", "by")
_NOTE: Final = (
    "a lever: what it saved by itself in the screening; your code and training: what the baseline's spans say. They "
    "overlap, so they don't add up"
)
Row = tuple[float, tuple["Cell", ...]]


def savings_section(report: ImprovementContent) -> Section:
    """Empty where nothing was found."""
    savings = (*_of_levers(report), *_of_causes(report), *_of_words(report))
    rows = sorted(savings, key=lambda row: -row[0])
    if not rows:
        return Section("")
    return Section(
        "Where time can be saved, the most first",
        table=Table(_COLUMNS, tuple(cells for _, cells in rows)),
        notes=(Note(_NOTE),),
    )


def _of_levers(report: ImprovementContent) -> Iterator[Row]:
    before = stage_arm(report, Stage.SCREENING, BASELINE)
    if before is None or before.summary.wall_ns is None:
        return
    a_query = before.summary.wall_ns / max(1, len(report.settings.queries))
    for lever in report.state.parts:
        saved = a_query * (1 - 1 / (lever.speed_up or 1))
        name = lever.candidate.name
        yield saved, (lever.candidate.text, _duration(saved, duration_text(round(saved))), f"lever {name}")


def _of_causes(report: ImprovementContent) -> Iterator[Row]:
    for cause in report.baseline.causes:
        least, most = cause.least_ns, cause.most_ns
        if least is None or most is None:
            figure = _duration(None, "not known")
        else:
            ends = dict.fromkeys((duration_text(least), duration_text(most)))
            figure = _duration(most, "–".join(ends))
        yield most or 0, (cause_name(cause), figure, "your code")


def _of_words(report: ImprovementContent) -> Iterator[Row]:
    """Where writing takes enough of the time, and telling the model to be brief doesn't help, training may."""
    predicted = report.baseline.analysis.what_if
    saving = next((one for one in predicted.savings if one.slug == LESS_OUTPUT), None) if predicted else None
    is_instructed = any(lever.candidate.kind == "brief" for lever in report.state.parts)
    if saving is None or saving.saved_ns is None or is_instructed or (saving.share or 0) < WORTH_TRAINING:
        return
    yield saving.saved_ns, (saving.says, figures.duration(saving.saved_ns), "train concise, if it pays")


def _duration(ns: float | None, shown: str) -> Figure:
    return Figure(None if ns is None else round(ns), Unit.NANOSECONDS, shown)
