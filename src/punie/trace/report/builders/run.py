"""The report of a run: where its time went, and the verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from punie.trace.analysis.summary.summary import RunAnalysis
from punie.trace.analysis.verdicts.accuracy import AccuracyFigures, AccuracyReason
from punie.trace.analysis.verdicts.assessment import Assessment, Question
from punie.trace.analysis.verdicts.generation import GenerationFigures
from punie.trace.analysis.verdicts.memory import MemoryReason, MemoryUse
from punie.trace.analysis.verdicts.target import TargetFigures
from punie.trace.report import figures
from punie.trace.report.builders.cache import cache_section
from punie.trace.report.builders.causes import causes_section
from punie.trace.report.builders.critical_path import path_sections
from punie.trace.report.builders.integrity import amount, integrity_section, known_from
from punie.trace.report.builders.provenance import run_provenance
from punie.trace.report.builders.queries import failed_section, queries_section
from punie.trace.report.builders.totals import failed_ledger_section, ledger_section, spread_section
from punie.trace.report.builders.what_if import what_if_section
from punie.trace.report.charts import Mark
from punie.trace.report.content import RunContent, SourceInfo
from punie.trace.report.document import Answer, Document, FlatTable, Section, notes
from punie.trace.report.inert import one_line
from punie.trace.report.wording.advice import next_step
from punie.trace.report.wording.headline import headline
from punie.trace.report.wording.verdicts import QUESTIONS, basis
from punie.trace.units import bytes_text, count_text, duration_text, percent_text

if TYPE_CHECKING:
    from punie.trace.report.published.run import RunDocument

_NOTHING_TO_JUDGE: Final = (AccuracyReason.NOTHING_SCORED, MemoryReason.NOT_MEASURED)


def build_run(report: RunContent) -> Document:
    """The whole report; a section with nothing to say is left out."""
    about, analysis = report.about, report.analysis
    return Document(
        title=about.source,
        data=partial(_data, report),
        headline=headline(analysis),
        lines=(*what_was_run(about, analysis), *_nothing_wrong(report)),
        sections=tuple(filter(None, _sections(report))),
        rows=partial(_rows, analysis),
        drawings=report.drawings,
        appendix=(run_provenance(report),),
    )


def _data(report: RunContent) -> RunDocument:
    from punie.trace.report.published.run import publish

    return publish(report)


def _rows(analysis: RunAnalysis) -> FlatTable:
    from punie.trace.report.published.run import query_rows

    return query_rows((*analysis.warmup, *analysis.records))


def what_was_run(about: SourceInfo, analysis: RunAnalysis) -> tuple[str, ...]:
    """What was run, and how much of it came to an answer."""
    what = " · ".join(part for part in (about.model, f"suite {about.suite}" if about.suite else "") if part)
    arms = [count_text(analysis.server_starts, "server start")]
    if analysis.caches:
        arms.append(f"prompt cache: {', '.join(analysis.caches)}")
    if about.draft:
        arms.append(f"draft: {about.draft}")
    planned = f" of {about.planned} planned" if about.planned else ""
    counted = f"{count_text(len(analysis.records), 'query', 'queries')}{planned}"
    counts = f"{counted} · {' · '.join(arms)}"
    sources = f"sources: {', '.join(map(one_line, about.sources))}" if about.sources else ""
    if all(name in about.source for name in about.sources):  # the title has them all
        sources = ""
    lines = (sources, what, counts, *_cached_repeats(analysis), *about.notes)
    return tuple(line for line in lines if line)


def _cached_repeats(analysis: RunAnalysis) -> Iterator[str]:
    if analysis.cached_repeats:
        repeats = count_text(analysis.cached_repeats, "repeat")
        yield f"{repeats} found the prompt cache warm: excluded from averages and verdicts on time"


def _nothing_wrong(report: RunContent) -> Iterator[str]:
    if not integrity_section(report):
        yield f"integrity: nothing wrong in {amount(report.about)}"
        yield from known_from(report.analysis)


def _sections(report: RunContent) -> Iterator[Section]:
    analysis = report.analysis
    yield integrity_section(report)
    yield _verdicts(list(analysis.verdicts.by_name.values()))
    yield ledger_section(analysis)
    yield failed_ledger_section(analysis)
    yield queries_section(analysis)
    yield spread_section(analysis)
    yield from path_sections(analysis.critical_path)
    yield cache_section(analysis.cache)
    yield what_if_section(analysis.what_if, report.past)
    yield causes_section(report.causes)
    yield failed_section(analysis)


def _verdicts(assessments: Sequence[Assessment[Any]]) -> Section:
    """What was judged; of what couldn't be, only that."""
    judged = [answer(item) for item in assessments if item.reason not in _NOTHING_TO_JUDGE]
    left = [item for item in assessments if item.reason in _NOTHING_TO_JUDGE]
    lines = (f"{QUESTIONS[item.question]}: not judged. {basis(item)}" for item in left)
    return Section("Verdicts", answers=tuple(judged), notes=notes(*lines))


def answer(assessment: Assessment[Any], question: str = "", *, steps: bool = True) -> Answer:
    """A verdict as a report shows it; `question` in place of its own, without what to do now unless `steps`."""
    figure = _FIGURES[assessment.question](assessment.estimate, absent=figures.NOT_KNOWN)
    if assessment.interval is not None:
        figure = replace(figure, low=assessment.interval.low, high=assessment.interval.high)
    return Answer(
        assessment.question,
        question or QUESTIONS[assessment.question],
        assessment.verdict,
        figure,
        basis(assessment),
        (next_step(assessment),) if steps else (),
        _marks(assessment),
        _evidence(assessment),
    )


_FIGURES: Final = {
    Question.GENERATION: figures.share,
    Question.ACCURACY: figures.share,
    Question.TARGET: figures.duration,
    Question.MEMORY: figures.size,
}


def _marks(assessment: Assessment[Any]) -> tuple[Mark, ...]:
    """The thresholds, in the figure's unit."""
    match assessment.figures:
        case GenerationFigures() as judged:
            return (Mark(judged.threshold, percent_text(judged.threshold)),)
        case AccuracyFigures():
            return (Mark(1.0, percent_text(1.0)),)
        case TargetFigures() as judged:
            return (Mark(judged.target_ns, duration_text(judged.target_ns)),)
        case MemoryUse() as judged:
            return tuple(Mark(size, bytes_text(size)) for size in judged.bounds.values())
        case judged:
            raise TypeError(f"no threshold of {judged!r}")


def _evidence(assessment: Assessment[Any]) -> str:
    """How many queries or answers; empty where that isn't what counts."""
    match assessment.figures:
        case GenerationFigures() as judged:
            return _queries(judged.queries)
        case AccuracyFigures() as judged:
            return count_text(judged.answers, "answer")
        case TargetFigures() as judged:
            return _queries(len(judged.queries))
        case _:
            return ""


def _queries(count: int) -> str:
    return count_text(count, "query", "queries")
