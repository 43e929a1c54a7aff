"""What a report of a benchmark is made from."""

from __future__ import annotations

from dataclasses import dataclass

from punie.trace.analysis.speculative.benchmark import BenchAnalysis


@dataclass(frozen=True, slots=True)
class BenchReport:
    """One analysed benchmark. `source` is its folder, `notes` stand beside every number, `steps` are what to do now."""

    source: str
    analysis: BenchAnalysis
    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
