"""What a benchmark measured so far, read off the spans of its finished server starts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from punie.trace.analysis.experiment.observing import observe
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.speculative.benchmark import Measurements
from punie.trace.analysis.verdicts.assessment import Integrity
from punie.trace.bench.folder import BenchFolder

if TYPE_CHECKING:
    from punie.trace.analysis.experiment.observation import Observation
    from punie.trace.analysis.integrity.finding import IntegrityFinding


@dataclass(frozen=True, slots=True)
class IntegrityCount:
    """What integrity found in all cells together."""

    slug: str
    effect: str
    count: int


def read_measurements(folder: BenchFolder) -> Measurements:
    """Everything that a benchmark measured so far: its finished cells alone. Raises InputError."""
    observations: list[Observation] = []
    findings: list[IntegrityFinding] = []
    for run in folder.finished_runs():
        spans = run.load_spans()
        plan = run.read_plan() if run.plan_path.exists() else None
        read = read_queries(spans, plan.planned if plan else (), now_ns=plan.now_ns if plan else None)
        observations += observe(spans.spans, read)
        findings += read.findings
    return Measurements(
        plan=folder.read_plan(),
        observations=tuple(observations),
        preflight=folder.read_preflight(),
        integrity=_together(findings),
        gaps=folder.read_divergences(),
    )


def _together(findings: list[IntegrityFinding]) -> tuple[Integrity, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    for item in findings:
        counts[item.slug, item.effect] += item.count
    return tuple(IntegrityCount(slug, effect, count) for (slug, effect), count in sorted(counts.items()))
