"""`bench`: benchmarks that finish and can be believed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.bench.options import NAMES, BenchOptions
from punie.trace.errors import ExitCode, UsageError
from punie.trace.options import argument, choice, flag, flags_of, group, path, switch

if TYPE_CHECKING:
    from punie.trace.analysis.speculative.model import BenchPlan
    from punie.trace.bench.execute import Outcome
    from punie.trace.bench.folder import BenchFolder
    from punie.trace.console.bench_progress import BenchProgress

HELP: Final = "measure what a change brings, e.g. a draft model"
DESCRIPTION: Final = (
    "speculative: does a draft model make it at least 20 % faster, losslessly? Measures the batched baseline (prompt "
    "cache on, as users run it), the same again for the noise, the sequential path that drafts use, and each draft "
    "at each k; servers start in balanced order, every measurement is kept, and each figure has an interval. "
    "A preflight of about a minute predicts the outcome first. Without --model it uses the demo pair. "
    "Interrupted, it goes on with --resume."
)
EXAMPLES: Final = (
    "bench speculative --quick",
    "bench speculative --model models/qwen3-30b --draft models/qwen3-0.6b --k 2,3",
    "bench speculative --resume benches/2026-11-23T14-05-09-demo",
)


@dataclass(frozen=True, slots=True)
class PlaceOptions:
    """Where it is kept and how much of it is run."""

    plan: Path | None = flag("--plan", "FILE", "a TOML file with the options above; flags win", parse=path)
    quick: bool = switch("--quick", "two blocks at k = 3: a look, not a measurement")
    preflight_only: bool = switch("--preflight-only", "stop after the prediction")
    benches: Path = flag("--benches", "DIR", "where benchmarks go", parse=path, default=Path("benches"))
    resume: Path | None = flag("--resume", "FOLDER", "go on with a benchmark as it was planned", parse=path)
    format: str = choice("--format", ("text", "json", "md"), "of what is printed", default="text")


@dataclass(frozen=True, slots=True)
class Options:
    """What `bench` was asked to do."""

    benchmark: str = argument("BENCHMARK", "what to measure: speculative", choices=("speculative",))
    measured: BenchOptions = group("benchmark", BenchOptions)
    place: PlaceOptions = group("places", PlaceOptions)
    given: frozenset[str] = frozenset()


def execute(options: Options) -> int:
    """Run it and report. Returns an exit code; raises PunieTraceError."""
    from punie.trace.bench.plan import plan_cells
    from punie.trace.console.bench_progress import BenchProgress
    from punie.trace.usecases.interruption import telling_how_to_go_on
    from punie.trace.usecases.speculative_benchmark import SpeculativeBenchmark

    place = options.place
    folder, plan = _resumed(place.resume, options.given) if place.resume else _begun(options)
    progress = BenchProgress()
    progress.plan(plan_cells(plan))
    progress.say(f"benchmark: {folder.path}")
    bench = SpeculativeBenchmark.of(folder, plan, progress)
    how = f"ended early; what is done is kept: punie-trace bench speculative --resume {folder.path}"
    with telling_how_to_go_on(progress.say, how):
        if place.preflight_only:
            asyncio.run(bench.predict())
            return _conclude_preflight(folder, plan, place.format)
        outcome = asyncio.run(bench.execute())
    return _conclude(folder, outcome, place.format, progress)


def _begun(options: Options) -> tuple[BenchFolder, BenchPlan]:
    from punie.trace.bench.folder import BenchFolder
    from punie.trace.bench.options import merge_options
    from punie.trace.bench.plan import Provenance, make_plan
    from punie.trace.bench.runtime import Runtime
    from punie.trace.commands.server_options import naming_flags
    from punie.trace.machine.facts import machine_facts
    from punie.trace.usecases.provenance import package_versions
    from punie.trace.workload.suite import default_suite, load_suite

    place = options.place
    merged = merge_options(options.measured, options.given, plan_file=place.plan, quick=place.quick)
    suite = load_suite(Path(merged.suite)) if merged.suite else default_suite()
    created = datetime.now().astimezone()
    label = Path(merged.model).name if merged.model else "demo"
    name = f"{created:%Y-%m-%dT%H-%M-%S}-{label}"
    provenance = Provenance(created.isoformat(timespec="seconds"), package_versions(), machine_facts())
    with naming_flags():
        plan = make_plan(merged, suite, name, provenance)
    Runtime.of(plan).subject()  # a wrong agent or workspace is refused before anything is written
    folder = BenchFolder.create(place.benches, name)
    folder.write_plan(plan)
    return folder, plan


def _resumed(path: Path, given: frozenset[str]) -> tuple[BenchFolder, BenchPlan]:
    from punie.trace.bench.folder import BenchFolder

    refused = [name for name in (*NAMES, "plan", "quick") if name in given]
    if refused:
        raise UsageError(
            f"{flags_of(Options)[refused[0]]} can't be used with --resume: the benchmark goes on as it was planned",
            remedy="leave it out, or begin a new benchmark",
        )
    folder = BenchFolder.open(path)
    return folder, folder.read_plan()


def _conclude_preflight(folder: BenchFolder, plan: BenchPlan, shown_as: str) -> int:
    from punie.trace.commands.output import Output
    from punie.trace.report.builders.preflight import build_preflight
    from punie.trace.report.formats import by_name
    from punie.trace.usecases.run_report import DEMO_NOTE

    found = folder.read_preflight()
    if found is None:
        raise AssertionError(f"{folder.path}: the preflight ended without a result and without an error")
    caveats = (DEMO_NOTE,) if plan.is_demo else ()
    Output(by_name(shown_as)).write(build_preflight(str(folder.path), found, caveats))
    return ExitCode.OK


def _conclude(folder: BenchFolder, outcome: Outcome, shown_as: str, progress: BenchProgress) -> int:
    from punie.trace.commands.output import Output
    from punie.trace.report.builders.speculative import build_speculative, with_roadmap
    from punie.trace.report.formats import JSON, MARKDOWN, by_name
    from punie.trace.store.files.whole_file import write_whole
    from punie.trace.units import count_text
    from punie.trace.usecases.bench_report import build_bench_report

    report = build_bench_report(folder.path)
    document = build_speculative(report)
    diary = with_roadmap(document, report)
    write_whole(folder.path / "report.json", JSON.write(document))
    write_whole(folder.path / "report.md", MARKDOWN.write(diary))
    Output(by_name(shown_as)).write(diary if shown_as == MARKDOWN.name else document)
    if not outcome.failed:
        return ExitCode.OK
    cell, error = outcome.failed[0]
    progress.say(
        f"{count_text(len(outcome.failed), 'cell')} failed, first {cell.name}: {error}; "
        f"tried again by: punie-trace bench speculative --resume {folder.path}"
    )
    return ExitCode.SERVER
