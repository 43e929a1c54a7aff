"""What `bench speculative` does: plan, preflight, cells, the look at differences, the report."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from punie.trace.analysis.speculative.files import encode
from punie.trace.analysis.speculative.losslessness import find_divergences
from punie.trace.analysis.speculative.model import BenchPlan, Preflight
from punie.trace.bench.execute import Outcome, execute_cells
from punie.trace.bench.folder import BenchFolder
from punie.trace.bench.logit_gaps import look_at_gaps
from punie.trace.bench.options import NAMES, merge_options
from punie.trace.bench.plan import Provenance, make_plan, plan_cells
from punie.trace.bench.preflight.run import PreflightSettings, run_preflight
from punie.trace.bench.runtime import Runtime
from punie.trace.commands.benchmarks import build_bench_report, read_measurements
from punie.trace.commands.reporting import DEMO_NOTE
from punie.trace.console.bench_progress import BenchProgress
from punie.trace.console.standard_streams import colored, write_out
from punie.trace.errors import ExitCode, PunieTraceError, ServerError, UsageError
from punie.trace.model import Verdict
from punie.trace.report.sections import as_markdown, as_text
from punie.trace.report.speculative import json_document, markdown, text
from punie.trace.report.speculative.preflight_document import preflight_document
from punie.trace.server import recommended_limit
from punie.trace.store.files.whole_file import write_whole
from punie.trace.units import count_text
from punie.trace.usecases.provenance import machine_facts, package_versions
from punie.trace.workload.suite import default_suite, load_suite


def run_speculative(options: argparse.Namespace) -> int:
    """Run it and report. Returns an exit code; raises PunieTraceError."""
    folder, plan = _resumed(options) if options.resume else _begun(options)
    progress = BenchProgress()
    progress.plan(plan_cells(plan))
    progress.say(f"benchmark: {folder.path}")
    bench = _Bench(folder, plan, Runtime.of(plan), progress, options.preflight_only)
    with _naming_folder(folder, progress):
        outcome = asyncio.run(bench.execute())
    if options.preflight_only:
        return _conclude_preflight(folder, plan, options)
    return _conclude(folder, outcome, options, progress)


def _begun(options: argparse.Namespace) -> tuple[BenchFolder, BenchPlan]:
    merged = merge_options(
        {name: getattr(options, name) for name in NAMES}, plan_file=options.plan, quick=options.quick
    )
    suite = load_suite(Path(merged.suite)) if merged.suite else default_suite()
    created = datetime.now().astimezone()
    label = Path(merged.model).name if merged.model else "demo"
    name = f"{created:%Y-%m-%dT%H-%M-%S}-{label}"
    told = Provenance(created.isoformat(timespec="seconds"), package_versions(), machine_facts())
    plan = make_plan(merged, suite, name, told)
    Runtime.of(plan).subject()  # a wrong agent or workspace is told before anything is written
    folder = BenchFolder.create(options.benches, name)
    folder.write_plan(plan)
    return folder, plan


def _resumed(options: argparse.Namespace) -> tuple[BenchFolder, BenchPlan]:
    given = [name for name in (*NAMES, "plan") if getattr(options, name) is not None]
    if given or options.quick:
        flag = "--" + (given[0] if given else "quick").replace("_", "-")
        raise UsageError(f"{flag} can't be used with --resume: the benchmark goes on as it was planned")
    folder = BenchFolder.open(options.resume)
    return folder, folder.read_plan()


@contextmanager
def _naming_folder(folder: BenchFolder, progress: BenchProgress) -> Iterator[None]:
    """However it ends early, say how to go on."""
    try:
        yield
    except (PunieTraceError, KeyboardInterrupt, asyncio.CancelledError) as error:
        progress.say(
            f"ended early; what is done is kept: punie-trace bench speculative --resume {folder.path}"
        )
        if isinstance(error, asyncio.CancelledError):  # SIGTERM, see _Bench.execute
            raise KeyboardInterrupt from error
        raise


@dataclass(frozen=True, slots=True)
class _Bench:
    folder: BenchFolder
    plan: BenchPlan
    runtime: Runtime
    progress: BenchProgress
    preflight_only: bool

    async def execute(self) -> Outcome:
        """The preflight unless it is there, every cell that isn't done, the logits of what differs."""
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        recommended = recommended_limit().limit_bytes
        with self.progress.shown():
            preflight = self.folder.read_preflight() or await self._preflight(recommended)
            self._say_worth(preflight)
            if self.preflight_only:
                return Outcome(())
            outcome = await execute_cells(self.folder, self.runtime, self.progress, recommended)
            await self._look_at_differences()
        return outcome

    async def _preflight(self, recommended_bytes: int) -> Preflight:
        told = self.plan.settings
        settings = PreflightSettings(
            timeout_s=float(told["preflight_timeout"]),
            allow_vocab_mismatch=told["allow_vocab_mismatch"] == "True",
            recommended_bytes=recommended_bytes,
        )
        return await run_preflight(
            self.folder, self.runtime, settings, lambda step: self.progress.working(f"preflight: {step}")
        )

    def _say_worth(self, preflight: Preflight) -> None:
        self.progress.say(f"preflight: {preflight.why}")
        for note in preflight.notes:
            self.progress.say(f"  {note}")
        if preflight.worth is Verdict.NO and not self.preflight_only:
            self.progress.say("  the benchmark goes on all the same; Ctrl-C stops it, and nothing is lost")

    async def _look_at_differences(self) -> None:
        measured = read_measurements(self.folder)
        found = find_divergences(measured.observations, self.plan)
        self.folder.write_divergences(found)
        if not found:
            return
        self.progress.say(f"{count_text(len(found), 'answer')} differ from the sequential baseline's")
        spans = [span for run in self.folder.finished_runs() for span in run.load_spans().spans]
        timeout_s = float(self.plan.settings["preflight_timeout"])
        files = self.folder.path / "logit-gaps"
        try:
            looked = await look_at_gaps(self.plan, spans, found, files, timeout_s, self.progress.working)
        except ServerError as error:
            # The report stands without them: it then says that nobody looked.
            self.progress.say(f"  the logits there could not be looked at: {error.message}")
        else:
            self.folder.write_divergences(looked)


def _conclude_preflight(folder: BenchFolder, plan: BenchPlan, options: argparse.Namespace) -> int:
    found = folder.read_preflight()
    if found is None:
        raise AssertionError(f"{folder.path}: the preflight ended without a result and without an error")
    shown = preflight_document(str(folder.path), found, (DEMO_NOTE,) if plan.is_demo else ())
    render = {"json": lambda: encode(found), "md": lambda: as_markdown(shown)}
    write_out(render.get(options.format, lambda: as_text(shown, color=colored()))())
    return ExitCode.OK


def _conclude(
    folder: BenchFolder, outcome: Outcome, options: argparse.Namespace, progress: BenchProgress
) -> int:
    report = build_bench_report(folder.path)
    as_json, as_markdown = json_document.render(report), markdown.render(report)
    write_whole(folder.path / "report.json", as_json)
    write_whole(folder.path / "report.md", as_markdown)
    shown = {"json": as_json, "md": as_markdown}
    write_out(shown.get(options.format) or text.render(report, color=colored()))
    if not outcome.failed:
        return ExitCode.OK
    cell, error = outcome.failed[0]
    progress.say(
        f"{count_text(len(outcome.failed), 'cell')} failed, first {cell.name}: {error}; "
        f"tried again by: punie-trace bench speculative --resume {folder.path}"
    )
    return ExitCode.SERVER
