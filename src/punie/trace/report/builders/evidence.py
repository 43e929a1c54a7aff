"""What a verdict's figure is held against, and how much it rests on: what a drawing of it needs."""

from __future__ import annotations

from typing import Any

from punie.trace.analysis.verdicts.accuracy import AccuracyFigures
from punie.trace.analysis.verdicts.assessment import Assessment
from punie.trace.analysis.verdicts.generation import GenerationFigures
from punie.trace.analysis.verdicts.memory import MemoryUse
from punie.trace.analysis.verdicts.target import TargetFigures
from punie.trace.report.charts import Mark
from punie.trace.units import bytes_text, count_text, duration_text, percent_text


def marks(assessment: Assessment[Any]) -> tuple[Mark, ...]:
    """The thresholds, in the figure's unit."""
    match assessment.figures:
        case GenerationFigures() as figures:
            return (Mark(figures.threshold, percent_text(figures.threshold)),)
        case AccuracyFigures():
            return (Mark(1.0, percent_text(1.0)),)
        case TargetFigures() as figures:
            return (Mark(figures.target_ns, duration_text(figures.target_ns)),)
        case MemoryUse() as figures:
            return tuple(Mark(size, bytes_text(size)) for size in figures.bounds.values())
        case figures:
            raise TypeError(f"no threshold of {figures!r}")


def evidence(assessment: Assessment[Any]) -> str:
    """How many queries or answers; empty where that isn't what counts."""
    match assessment.figures:
        case GenerationFigures() as figures:
            return _queries(figures.queries)
        case AccuracyFigures() as figures:
            return count_text(figures.answers, "answer")
        case TargetFigures() as figures:
            return _queries(len(figures.queries))
        case _:
            return ""


def _queries(count: int) -> str:
    return count_text(count, "query", "queries")
