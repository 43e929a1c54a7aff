"""What a benchmark measured so far, read off the spans of its finished server starts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from punie.trace.analysis.experiment.measured import CellFacts, Measured
from punie.trace.analysis.experiment.observing import observe
from punie.trace.analysis.experiment.results import StopReason, ending_of
from punie.trace.analysis.integrity.kinds import FINDING_KIND
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.speculative.benchmark import BenchmarkMeasurements
from punie.trace.analysis.speculative.preset import as_benchmark
from punie.trace.analysis.verdicts.assessment import Integrity
from punie.trace.bench.documents import CellRecord
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

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return FINDING_KIND[self.slug].remedy


def read_measured(folder: BenchFolder) -> Measured:
    """Everything that an experiment measured so far: its finished cells alone. Raises InputError."""
    observations: list[Observation] = []
    findings: list[IntegrityFinding] = []
    for run in folder.finished_runs():
        spans = run.load_spans()
        plan = run.read_plan() if run.plan_path.exists() else None
        read = read_queries(spans, plan.planned if plan else (), now_ns=plan.now_ns if plan else None)
        observations += observe(spans.spans, read)
        findings += read.findings
    return Measured(
        folder.read_plan(),
        tuple(observations),
        integrity=_summed(findings),
        cells=tuple(map(_facts, folder.records())),
        set_aside=tuple(_facts(record) for record in folder.aborted_records() if record.disturbed),
    )


def read_measurements(folder: BenchFolder) -> BenchmarkMeasurements:
    """The same of a benchmark of draft models, with its preflight and what was found of differences.

    Raises InputError.
    """
    return as_measurements(read_measured(folder), folder)


def as_measurements(measured: Measured, folder: BenchFolder) -> BenchmarkMeasurements:
    """As `read_measurements`, of what was read already: as far as it went, at the level of its last look."""
    ended = ending_of(measured)
    blocks = measured.plan.blocks if ended.why is StopReason.UNFINISHED else ended.blocks
    return BenchmarkMeasurements(
        plan=replace(as_benchmark(measured.plan), blocks=blocks),
        observations=measured.observations,
        preflight=folder.read_preflight(),
        integrity=measured.integrity,
        gaps=folder.read_divergences(),
        level=ended.look.level,
    )


def _facts(record: CellRecord) -> CellFacts:
    return CellFacts(
        record.name,
        record.block,
        record.arms,
        error=record.error,
        disturbed=record.disturbed,
        began_ns=record.began_ns,
        took_ns=record.took_ns,
        peak_footprint_bytes=record.peak_footprint_bytes,
        swapped_in_bytes=record.swapped_in_bytes,
        swapped_out_bytes=record.swapped_out_bytes,
    )


def _summed(findings: list[IntegrityFinding]) -> tuple[Integrity, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    for item in findings:
        counts[item.slug, item.effect] += item.count
    return tuple(IntegrityCount(slug, effect, count) for (slug, effect), count in sorted(counts.items()))
