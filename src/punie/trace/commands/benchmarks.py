"""From a benchmark's folder to its report: shared by `bench` and `decide`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.speculative.advice import next_steps
from punie.trace.analysis.speculative.arms import Limits
from punie.trace.analysis.speculative.benchmark import Measurements, analyse_benchmark
from punie.trace.analysis.speculative.observations import observe
from punie.trace.analysis.verdicts.assessment import Integrity
from punie.trace.analysis.verdicts.target import DEFAULT_TARGET_NS
from punie.trace.bench.folder import BenchFolder
from punie.trace.commands.reporting import DEMO_NOTE
from punie.trace.report.speculative.content import BenchReport
from punie.trace.units import bytes_text

if TYPE_CHECKING:
    from punie.trace.analysis.integrity.finding import IntegrityFinding
    from punie.trace.analysis.speculative.model import BenchPlan, Observation


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
        planned = run.read_plan().planned if run.plan_path.exists() else ()
        read = read_queries(spans, planned)
        observations += observe(spans.spans, read)
        findings += read.findings
    return Measurements(
        plan=folder.read_plan(),
        observations=tuple(observations),
        preflight=folder.read_preflight(),
        integrity=_together(findings),
        gaps=folder.read_divergences(),
    )


def build_bench_report(
    path: Path, *, target_ns: int | None = None, max_memory_bytes: int | None = None
) -> BenchReport:
    """The report of the benchmark at `path`, finished or not; the plan's limits where none are given.

    Raises InputError.
    """
    folder = BenchFolder.open(path)
    measured = read_measurements(folder)
    analysis = analyse_benchmark(measured, _limits(measured.plan, target_ns, max_memory_bytes))
    notes = [DEMO_NOTE] if measured.plan.is_demo else []
    if swapped := folder.swapped_bytes():
        read, written = map(bytes_text, swapped)
        notes.append(f"swap, the whole machine while the cells ran: {written} written, {read} read")
    return BenchReport(str(path), analysis, next_steps(analysis), tuple(notes))


def _limits(plan: BenchPlan, target_ns: int | None, max_memory_bytes: int | None) -> Limits:
    return Limits(
        target_ns=target_ns or plan.target_ns or DEFAULT_TARGET_NS,
        max_memory_bytes=max_memory_bytes or plan.max_memory_bytes,
    )


def _together(findings: list[IntegrityFinding]) -> tuple[Integrity, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    for item in findings:
        counts[item.slug, item.effect] += item.count
    return tuple(IntegrityCount(slug, effect, count) for (slug, effect), count in sorted(counts.items()))
