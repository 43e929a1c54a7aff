"""What a verdict rests on, in a sentence, and its figures in the unit they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from punie.trace.analysis.statistics.share import ShareEstimate
from punie.trace.analysis.statistics.spread import LEVEL, UnitKind
from punie.trace.analysis.verdicts.accuracy import AccuracyFigures
from punie.trace.analysis.verdicts.assessment import MISSING_QUERY, Assessment, Gap, Question
from punie.trace.analysis.verdicts.generation import GenerationFigures, GenerationReason, MeasuredGeneration
from punie.trace.analysis.verdicts.memory import MemorySource, MemoryUse
from punie.trace.analysis.verdicts.target import TargetFigures, TargetReason
from punie.trace.units import bytes_text, confidence_text, count_text, duration_text, percent_text, share_text

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
_GENERATION: Final[Mapping[StrEnum, str]] = {
    GenerationReason.INCOMPLETE: "{gaps}",
    GenerationReason.TOO_FEW_QUERIES: "at least {queries_needed} different queries are needed",
    GenerationReason.ABOVE: "all of it above {threshold}",
    GenerationReason.BELOW: "all of it below {threshold}",
    GenerationReason.CONTESTED: "contested time makes it {low} to {high}",
    GenerationReason.HOLDS_THRESHOLD: "it holds {threshold}",
}
_TARGET: Final[Mapping[StrEnum, str]] = {
    TargetReason.FAILED_ATTEMPTS: "{failed} among them",
    TargetReason.INCOMPLETE: "{gaps}",
    TargetReason.NOTHING_ASKED: "nothing was asked",
    TargetReason.MEDIANS_ABOVE: "{over} above it",
    TargetReason.REPEATS_ABOVE: "every median is within it, {not_under} not under it",
    TargetReason.TOO_FEW_REPEATS: "all under it, but only {repeats} of a query",
    TargetReason.ALL_UNDER: "every one of at least {fewest} repeats is under it",
}
PLURALS: Final = {UnitKind.QUERY: "queries", UnitKind.SERVER_START: "server starts", UnitKind.BLOCK: "blocks"}


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


def _clauses(text: str, *more: str) -> str:
    return "; ".join(part for part in (text, *more) if part)


def _generation(assessment: Assessment[Any], figures: GenerationFigures) -> str:
    measured = figures.measured
    if measured is None:
        return _clauses("No query succeeded in measurable time", gaps_text(figures.gaps))
    if assessment.reason is GenerationReason.NO_MODEL_REQUEST:
        answers = count_text(figures.answers, "answer")
        why = f"No model request in these spans of {answers}: none was made, or none was traced"
        return _clauses(why, gaps_text(figures.gaps))
    words = {
        "threshold": percent_text(figures.threshold),
        "queries_needed": figures.queries_needed,
        "gaps": gaps_text(figures.gaps),
        "low": share_text(measured.low or 0.0),
        "high": share_text(measured.high or 1.0),
    }
    text = (
        f"Generation is {_share_of_wall(measured)} in {count_text(figures.answers, 'answer')} to "
        f"{count_text(measured.share.queries, 'query', 'queries')}; "
        f"{_share_interval(measured.share)}: {_GENERATION[assessment.reason].format(**words)}"
    )
    return _clauses(text, f"weakened by {', '.join(figures.downgraded_by)}" if figures.downgraded_by else "")


def _share_of_wall(measured: MeasuredGeneration) -> str:
    """The judged share; the one of all answers' time beside it where queries with more of them make that another."""
    share, pooled = share_text(measured.share.estimate), share_text(measured.pooled_share)
    wall = duration_text(measured.wall_ns)
    if share == pooled:
        return f"{share} of {wall}"
    return f"{share}, each query by the mean of its repeats ({pooled} of all {wall})"


def _share_interval(share: ShareEstimate) -> str:
    """The interval as a clause, with all that it is over, what makes it wide first."""
    interval = share.interval
    if interval is None:
        return "no interval from one query"
    counts = {UnitKind.QUERY: share.queries, UnitKind.SERVER_START: share.server_starts}
    kinds = sorted((kind for kind in counts if counts[kind] > 1), key=lambda kind: kind is not interval.over)
    over = " and ".join(count_text(counts[kind], kind, PLURALS[kind]) for kind in kinds)
    return (
        f"{confidence_text(interval.level)} interval {share_text(interval.low)} to {share_text(interval.high)} "
        f"({interval.method} over {over})"
    )


def _accuracy(assessment: Assessment[Any], figures: AccuracyFigures) -> str:
    unscored = f"{count_text(figures.unscored, 'answer')} not scored" if figures.unscored else ""
    if assessment.interval is None:
        return _clauses("No answer was scored", gaps_text(figures.gaps))
    text = (
        f"{figures.answers_right} of {count_text(figures.answers, 'answer')} right, {figures.queries_right} of "
        f"{count_text(figures.queries, 'query', 'queries')} in every repeat; that many allow the claim "
        f'"at least {share_text(assessment.interval.low)} of such queries" at {percent_text(LEVEL)} confidence'
    )
    return _clauses(text, gaps_text(figures.gaps), unscored)


def _target(assessment: Assessment[Any], figures: TargetFigures) -> str:
    queries = count_text(len(figures.queries), "query", "queries")
    those = "with two or more model requests"
    reason = _TARGET[assessment.reason].format(
        failed=count_text(figures.failed, "failed attempt"),
        gaps=gaps_text(figures.gaps),
        over=count_text(figures.over, "median"),
        not_under=count_text(figures.not_under, "repeat"),
        repeats=count_text(figures.fewest, "repeat"),
        fewest=figures.fewest,
    )
    scope = f"{queries} {those}" if figures.several_requests else f"{queries} (none has {those[5:]})"
    return f"{scope}, target {duration_text(figures.target_ns)}: {reason}"


def _memory(memory: MemoryUse) -> str:
    if memory.peak_bytes is None:
        return "The server's memory was not measured"
    bounds = ", ".join(f"{name} {bytes_text(size)}" for name, size in memory.bounds.items())
    return (
        f"Peak {bytes_text(memory.peak_bytes)} ({_SOURCES[memory.source]}); "
        f"{bounds or 'no bound to hold it against'}"
    )
