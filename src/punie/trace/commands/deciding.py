"""From a run and a benchmark to a written decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from punie.trace.analysis.decision import decide
from punie.trace.commands.benchmarks import build_bench_report
from punie.trace.commands.reporting import Judgement, build_report, format_of, load_source, write_new
from punie.trace.console.standard_streams import colored, write_err, write_out
from punie.trace.errors import ExitCode, UsageError
from punie.trace.report.decision import json_document
from punie.trace.report.decision.sections import DecisionReport, render_markdown, render_text
from punie.trace.report.formats import FORMATS

if TYPE_CHECKING:
    import argparse

    from punie.trace.report.content import Report
    from punie.trace.report.speculative.content import BenchReport


def conclude_decision(options: argparse.Namespace) -> int:
    """Read, decide, write; `options` are those of `decide`. Raises UsageError or InputError."""
    judgement = Judgement.of(options)
    name = format_of(options, FORMATS).name
    if name == "csv":
        raise UsageError(
            f"-o {options.output}: a decision can't be written as csv", remedy="name .md, .json or .txt"
        )
    report = _build(options, judgement)
    color = options.output is None and colored()
    text = {
        "text": lambda: render_text(report, color=color),
        "md": lambda: render_markdown(report),
        "json": lambda: json_document.render(report),
    }[name]()
    if options.output is None:
        write_out(text)
    else:
        write_new(options.output, text, force=options.force)
        write_err(f"Wrote {options.output}\n")
    return ExitCode.OK


def _build(options: argparse.Namespace, judgement: Judgement) -> DecisionReport:
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
