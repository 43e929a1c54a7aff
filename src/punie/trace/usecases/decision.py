"""From a run and a benchmark to a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.analysis.decision.decision import decide
from punie.trace.report.content import DecisionReport
from punie.trace.usecases.bench_report import build_bench_report
from punie.trace.usecases.load import load_source
from punie.trace.usecases.run_report import Judgement, build_report

if TYPE_CHECKING:
    from pathlib import Path

    from punie.trace.report.content import BenchReport, Report

_OTHER_SUITE: Final = (
    "The run and the benchmark asked different suites: step 2 is about other queries than step 1."
)


def decide_from(run_source: str, bench_folder: Path | None, judgement: Judgement) -> DecisionReport:
    """Read both and decide. Raises InputError."""
    loaded = load_source(run_source)
    judged = judgement.with_plan(loaded.plan)
    run = build_report(loaded, judgement)
    bench = None
    if bench_folder is not None:
        bench = build_bench_report(
            bench_folder, target_ns=judged.target_ns, max_memory_bytes=judged.max_memory_bytes
        )
    notes = dict.fromkeys((*run.about.notes, *(bench.notes if bench else ()), *_mismatch(run, bench)))
    decision = decide(run.analysis, bench.analysis if bench else None)
    return DecisionReport(
        run.about.source, bench.source if bench else None, decision, tuple(notes), run, bench
    )


def _mismatch(run: Report, bench: BenchReport | None) -> tuple[str, ...]:
    """Run and benchmark should have asked the same queries; if they say that they didn't, so does the report."""
    asked = run.about.suite_hash
    return (_OTHER_SUITE,) if bench and asked and asked != bench.analysis.plan.suite_hash else ()
