"""What a verdict rests on, in a sentence, and its figures in the unit they have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from punie.trace.analysis.statistics.spread import LEVEL, Interval, UnitKind
from punie.trace.analysis.verdicts.accuracy import AccuracyFigures
from punie.trace.analysis.verdicts.assessment import MISSING_QUERY, Assessment, Gap, Question
from punie.trace.analysis.verdicts.generation import GenerationFigures, GenerationReason, MeasuredGeneration
from punie.trace.analysis.verdicts.memory import MemorySource, MemoryUse
from punie.trace.analysis.verdicts.target import TargetFigures, TargetReason
from punie.trace.units import bytes_text, count_text, duration_text, percent_text, share_text

QUESTIONS: Final = {
    Question.GENERATION: "generation > 70 %",
    Question.ACCURACY: "accuracy 100 %",
    Question.TARGET: "under target",
    Question.MEMORY: "within memory",
}
UNITS: Final = {
    Question.GENERATION: "share of wall time",
    Question.ACCURACY: "share of scored answers that are right",
    Question.TARGET: "ns, largest median of a query",
    Question.MEMORY: "bytes, peak footprint",
}
_SOURCES: Final = {
    MemorySource.PROCESS: "sampled footprint of the server's process and its children",
    MemorySource.PROCESS_OR_ALLOCATOR: "the larger of the allocator's peak and the process's footprint",
}
PLURALS: Final = {UnitKind.QUERY: "queries", UnitKind.SERVER_START: "server starts"}


def basis(assessment: Assessment[Any]) -> str:
    """What the verdict rests on, one sentence."""
    match assessment.figures:
        case GenerationFigures() as figures:
            return f"{_generation(assessment, figures)}."
        case AccuracyFigures() as figures:
            return f"{_accuracy(assessment, figures)}."
        case TargetFigures() as figures:
            return f"{_target(assessment, figures)}."
        case MemoryUse() as figures:
            return f"{_memory(figures)}."
        case figures:
            raise TypeError(f"no sentence for {figures!r}")


def gaps_text(gaps: Sequence[Gap]) -> str:
    """Why nothing is claimed, as a clause without a full stop; empty without gaps."""
    return "; ".join(map(_gap, gaps))


def _gap(gap: Gap) -> str:
    if gap.slug == MISSING_QUERY:
        return f"{count_text(gap.count, 'planned query', 'planned queries')} missing"
    return f"integrity: {gap.slug} ({gap.count})"


def _and(text: str, *more: str) -> str:
    return "; ".join(part for part in (text, *more) if part)


def _generation(assessment: Assessment[Any], figures: GenerationFigures) -> str:
    measured = figures.measured
    if measured is None:
        return _and("No query succeeded in measurable time", gaps_text(figures.gaps))
    if assessment.reason is GenerationReason.NO_MODEL_REQUEST:
        answers = count_text(figures.answers, "answer")
        why = f"No model request in these spans of {answers}: none was made, or none was traced"
        return _and(why, gaps_text(figures.gaps))
    text = (
        f"Generation is {share_text(measured.share.estimate)} of {duration_text(measured.wall_ns)} in "
        f"{count_text(figures.answers, 'answer')} to {count_text(measured.share.queries, 'query', 'queries')}; "
        f"{interval_text(measured.share.interval)}: {_generation_reason(assessment, figures, measured)}"
    )
    return _and(text, f"weakened by {', '.join(figures.downgraded_by)}" if figures.downgraded_by else "")


def _generation_reason(
    assessment: Assessment[Any], figures: GenerationFigures, measured: MeasuredGeneration
) -> str:
    threshold = percent_text(figures.threshold)
    match assessment.reason:
        case GenerationReason.INCOMPLETE:
            return gaps_text(figures.gaps)
        case GenerationReason.TOO_FEW_QUERIES:
            return f"at least {figures.queries_needed} different queries are needed"
        case GenerationReason.ABOVE:
            return f"all of it above {threshold}"
        case GenerationReason.BELOW:
            return f"all of it below {threshold}"
        case GenerationReason.CONTESTED:
            low, high = share_text(measured.low or 0.0), share_text(measured.high or 1.0)
            return f"contested time makes it {low} to {high}"
        case _:
            return f"it holds {threshold}"


def interval_text(interval: Interval | None) -> str:
    """An interval as a clause."""
    if interval is None:
        return "no interval from one query"
    return (
        f"{percent_text(interval.level)} interval {share_text(interval.low)} to {share_text(interval.high)} "
        f"({interval.method} over {count_text(interval.units, interval.over, PLURALS[interval.over])})"
    )


def _accuracy(assessment: Assessment[Any], figures: AccuracyFigures) -> str:
    unscored = f"{count_text(figures.unscored, 'answer')} not scored" if figures.unscored else ""
    if assessment.interval is None:
        return _and("No answer was scored", gaps_text(figures.gaps))
    text = (
        f"{figures.answers_right} of {count_text(figures.answers, 'answer')} right, {figures.queries_right} of "
        f"{count_text(figures.queries, 'query', 'queries')} in every repeat; that many allow the claim "
        f'"at least {share_text(assessment.interval.low)} of such queries" at {percent_text(LEVEL)} confidence'
    )
    return _and(text, gaps_text(figures.gaps), unscored)


def _target(assessment: Assessment[Any], figures: TargetFigures) -> str:
    queries = count_text(len(figures.queries), "query", "queries")
    those = "with two or more model requests"
    scope = f"{queries} {those}" if figures.several_requests else f"{queries} (none has {those[5:]})"
    return f"{scope}, target {duration_text(figures.target_ns)}: {_target_reason(assessment, figures)}"


def _target_reason(assessment: Assessment[Any], figures: TargetFigures) -> str:
    match assessment.reason:
        case TargetReason.FAILED_ATTEMPTS:
            return f"{count_text(figures.failed, 'failed attempt')} among them"
        case TargetReason.INCOMPLETE:
            return gaps_text(figures.gaps)
        case TargetReason.NOTHING_ASKED:
            return "nothing was asked"
        case TargetReason.MEDIANS_ABOVE:
            return f"{count_text(figures.over, 'median')} above it"
        case TargetReason.REPEATS_ABOVE:
            return f"every median is within it, {count_text(figures.not_under, 'repeat')} not under it"
        case TargetReason.TOO_FEW_REPEATS:
            return f"all under it, but only {count_text(figures.fewest, 'repeat')} of a query"
        case _:
            return f"every one of at least {figures.fewest} repeats is under it"


def _memory(memory: MemoryUse) -> str:
    if memory.peak_bytes is None:
        return "The server's memory was not measured"
    bounds = ", ".join(f"{name} {bytes_text(size)}" for name, size in memory.bounds.items())
    return (
        f"Peak {bytes_text(memory.peak_bytes)} ({_SOURCES[memory.source]}); "
        f"{bounds or 'no bound to hold it against'}"
    )
