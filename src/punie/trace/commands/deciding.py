"""From a run and a benchmark to a written decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from punie.trace.analysis.decision import decide
from punie.trace.commands.benchmarks import build_bench_report
from punie.trace.commands.output import Output
from punie.trace.console.standard_streams import colored
from punie.trace.errors import ExitCode, UsageError
from punie.trace.report.decision import json_document
from punie.trace.report.decision.sections import DecisionReport, render_markdown, render_text
from punie.trace.report.formats import JSON, MARKDOWN, TEXT
from punie.trace.usecases.load import load_source
from punie.trace.usecases.run_report import Judgement, build_report

if TYPE_CHECKING:
    from punie.trace.commands.decide import Options
    from punie.trace.report.content import Report
    from punie.trace.report.speculative.content import BenchReport


def conclude_decision(options: Options) -> int:
    """Read, decide, write. Raises UsageError or InputError."""
    output = Output.of(options.output)
    if output.format not in (TEXT, JSON, MARKDOWN):
        raise UsageError(
            f"a decision can't be written as {output.format.name}", remedy="name .md, .json or .txt"
        )
    report = _build(options)
    if output.format is JSON:
        output.write_text(json_document.render(report))
    elif output.format is MARKDOWN:
        output.write_text(render_markdown(report))
    else:
        output.write_text(render_text(report, color=output.path is None and colored()))
    return ExitCode.OK


def _build(options: Options) -> DecisionReport:
    judgement = Judgement(options.judgement.target_ns, options.judgement.max_memory_bytes)
    loaded = load_source(options.run)
    judged = judgement.with_plan(loaded.plan)
    run = build_report(loaded, judgement)
    bench = None
    if options.bench is not None:
        bench = build_bench_report(
            options.bench, target_ns=judged.target_ns, max_memory_bytes=judged.max_memory_bytes
        )
    notes = dict.fromkeys((*run.about.notes, *(bench.notes if bench else ()), *_mismatch(run, bench)))
    decision = decide(run.analysis, bench.analysis if bench else None)
    return DecisionReport(run.about.source, bench.source if bench else None, decision, tuple(notes))


def _mismatch(run: Report, bench: BenchReport | None) -> tuple[str, ...]:
    """Run and benchmark should have asked the same queries; if they say that they didn't, so does the report."""
    if bench is None or not run.about.suite_hash:
        return ()
    if run.about.suite_hash == bench.analysis.plan.suite_hash:
        return ()
    return ("The run and the benchmark asked different suites: step 2 is about other queries than step 1.",)
