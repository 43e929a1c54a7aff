"""From a benchmark's folder to its report: shared by `bench` and `decide`."""

from __future__ import annotations

from pathlib import Path

from punie.trace.analysis.experiment.summary import Limits
from punie.trace.analysis.speculative.benchmark import analyse_benchmark
from punie.trace.analysis.speculative.model import BenchPlan
from punie.trace.analysis.verdicts.target import DEFAULT_TARGET_NS
from punie.trace.bench.folder import BenchFolder
from punie.trace.bench.measurements import as_measurements, read_measured
from punie.trace.errors import InputError
from punie.trace.report.content import BenchContent
from punie.trace.report.wording.experiment import looks_notes
from punie.trace.report.wording.speculative import bench_advice
from punie.trace.units import bytes_text
from punie.trace.usecases.about import DEMO_NOTE


def build_bench_report(
    path: Path, *, target_ns: int | None = None, max_memory_bytes: int | None = None
) -> BenchContent:
    """The report of the benchmark at `path`, finished or not; the plan's limits where none are given.

    Raises InputError.
    """
    folder = BenchFolder.open(path)
    everything = read_measured(folder)
    if everything.plan.speculative is None:
        raise InputError(
            f"{path}: an experiment of other arms than draft models",
            remedy=f"see {path / 'report.md'}, or punie-trace bench run --resume {path}",
        )
    measured = as_measurements(everything, folder)
    analysis = analyse_benchmark(measured, _limits(measured.plan, target_ns, max_memory_bytes))
    notes = [DEMO_NOTE] if measured.plan.is_demo else []
    notes += looks_notes(everything)
    if swapped := folder.swapped_bytes():
        read, written = map(bytes_text, swapped)
        notes.append(f"swap, the whole machine while the cells ran: {written} written, {read} read")
    return BenchContent(str(path), analysis, bench_advice(analysis), tuple(notes), measured.observations)


def _limits(plan: BenchPlan, target_ns: int | None, max_memory_bytes: int | None) -> Limits:
    return Limits(
        target_ns=target_ns or plan.target_ns or DEFAULT_TARGET_NS,
        max_memory_bytes=max_memory_bytes or plan.max_memory_bytes,
    )
