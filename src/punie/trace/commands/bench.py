"""`bench`: benchmarks that finish and can be believed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from punie.trace.bench.options import NAMES, BenchOptions
from punie.trace.commands.configured import config_flag, named_options, read_config, with_config
from punie.trace.commands.options import OutputOptions, refuse_given
from punie.trace.errors import ExitCode, UsageError
from punie.trace.options import argument, flag, group, path, switch
from punie.trace.units import parse_percent

if TYPE_CHECKING:
    from punie.trace.analysis.experiment.configuration import Configuration
    from punie.trace.analysis.experiment.measured import Measured
    from punie.trace.analysis.experiment.plan import ExperimentPlan
    from punie.trace.bench.folder import BenchFolder
    from punie.trace.commands.output import Output
    from punie.trace.console.bench_progress import BenchProgress
    from punie.trace.machine.environment import Environment
    from punie.trace.report.document import Document

HELP: Final = "measure what a change brings: a draft model, or any arms of a plan"
DESCRIPTION: Final = (
    "run PLAN.toml: compares any configurations (arms) with a baseline: servers start in balanced order, block by "
    "block, every measurement is kept, and each figure has an interval and an accuracy beside it. "
    "speculative: does a draft model make it at least 20 % faster, losslessly? The same with arms of its own: the "
    "batched baseline (prompt cache on, as users run it), the same again for the noise, the sequential path that "
    "drafts use, and each draft at each k. A preflight of about a minute predicts the outcome first. Without --model "
    "it uses the demo pair. Interrupted, both go on with --resume; with --blocks they go on to more blocks."
)
EXAMPLES: Final = (
    "bench run plan.toml --dry-run",
    "bench run plan.toml --until-decided -o report.md",
    "bench speculative --model models/qwen3-30b --draft models/qwen3-0.6b --num-draft-tokens 2,3",
    "bench run --resume benches/2026-11-23T14-05-09-plan --blocks 12",
)
SPECULATIVE: Final = "speculative"
RUN: Final = "run"


def _width(text: str) -> float:
    return parse_percent(text, flag="--width")


@dataclass(frozen=True, slots=True)
class BenchFolderOptions:
    """Where it is kept and how much of it is run."""

    plan: Path | None = flag(
        "--plan", "FILE", "speculative: a TOML file with its options; flags win", parse=path
    )
    config: Path | None = config_flag()
    quick: bool = switch("--quick", "speculative: two blocks at k = 3: a look, not a measurement")
    preflight_only: bool = switch("--preflight-only", "speculative: stop after the prediction")
    dry_run: bool = switch("--dry-run", "show what would be run, and run nothing")
    benches: Path = flag("--benches", "DIR", "where benchmarks go", parse=path, default=Path("benches"))
    resume: Path | None = flag("--resume", "FOLDER", "go on with a benchmark as it was planned", parse=path)


@dataclass(frozen=True, slots=True)
class StopOptions:
    """When it ends before its last block; looked at after a half and three quarters of the blocks."""

    width: float | None = flag(
        "--width", "PERCENT", "end when every interval is this narrow, e.g. 10%%", parse=_width
    )
    until_decided: bool = switch("--until-decided", "end when every arm's verdict is decided")


@dataclass(frozen=True, slots=True)
class Options:
    """What `bench` was asked to do."""

    benchmark: str = argument("BENCHMARK", "what to measure: run or speculative", choices=(RUN, SPECULATIVE))
    plan_toml: Path | None = argument("PLAN", "run: the plan, a TOML file", nargs="?", parse=path)
    measured: BenchOptions = group("benchmark", BenchOptions)
    place: BenchFolderOptions = group("places", BenchFolderOptions)
    stopping: StopOptions = group("ending early", StopOptions)
    output: OutputOptions = group("output", OutputOptions)
    given: frozenset[str] = frozenset()


_OF_THE_PLAN: Final = frozenset({"blocks", "seed"})
"""Of the options of draft models those that `run` takes too."""


def execute(options: Options) -> int:
    """Run it and report. Returns an exit code; raises PunieTraceError."""
    from punie.trace.commands.output import Output
    from punie.trace.report.formats import Material

    output = Output.of(options.output, (Material.VERDICTS,))  # refused before anybody waits for the report
    _refuse(options)
    if options.place.resume is None:
        plan = _planned(options)
        if options.place.dry_run:
            return _show_plan(plan, options.place.benches, output)
        folder = _created(options.place.benches, plan)
    else:
        folder, plan = _resumed(options)
    return _run(folder, plan, options, output)


def _refuse(options: Options) -> None:
    """Flags of the other benchmark, and those that a plan which is there already doesn't take."""
    is_run, place, given = options.benchmark == RUN, options.place, options.given
    elsewhere = f"can't be used with bench {options.benchmark}"
    if is_run:
        wrong = {"plan", "quick", "preflight_only", *NAMES} - _OF_THE_PLAN
        refuse_given(Options, given & wrong, elsewhere, "write it into the plan")
    elif options.plan_toml is not None:
        raise UsageError(f"PLAN {elsewhere}", remedy="write it into the plan")
    if is_run and (options.plan_toml is None) == (place.resume is None):
        raise UsageError(
            "bench run: needs a plan", remedy="punie-trace bench run PLAN.toml, or --resume FOLDER"
        )
    if place.resume is not None:
        fixed = {"plan", "config", "quick", "seed", "width", "until_decided", "dry_run", *NAMES} - {"blocks"}
        reason = "can't be used with --resume: the benchmark goes on as it was planned"
        refuse_given(Options, given & fixed, reason, "leave it out, or begin a new benchmark")


def _planned(options: Options) -> ExperimentPlan:
    from punie.trace.machine.environment import Environment

    environment = Environment.now()
    if options.benchmark == SPECULATIVE:
        return _planned_drafts(options, environment)
    from punie.trace.bench.plan_file import PlanOverrides, read_experiment

    given, stop = options.given, options.stopping
    changes = PlanOverrides(
        options.measured.blocks if "blocks" in given else None,
        options.measured.seed if "seed" in given else None,
        stop.width,
        decided=stop.until_decided,
        config=read_config(options.place.config),
    )
    file = options.plan_toml or Path()
    return read_experiment(file, environment.name(file.stem), environment, changes)


def _planned_drafts(options: Options, environment: Environment) -> ExperimentPlan:
    from punie.trace.analysis.experiment.looks import default_looks
    from punie.trace.analysis.experiment.plan import StoppingRule
    from punie.trace.bench.plan_options import merge_options
    from punie.trace.bench.runtime import subject_of
    from punie.trace.bench.speculative_plan import make_plan
    from punie.trace.commands.server_options import naming_flags
    from punie.trace.workload.suite import load_suite

    place, stop = options.place, options.stopping
    configuration = read_config(place.config)
    _refuse_unused(configuration, place.config)
    measured = with_config(options.measured, configuration, options.given)
    places: dict[str, Any] = {
        name: str(value) for name in ("adapter", "workspace") if (value := getattr(measured, name))
    }
    measured = replace(measured, **places)
    given = options.given | named_options(configuration)
    merged = merge_options(measured, given, plan_file=place.plan, quick=place.quick)
    suite = load_suite(merged.suite)
    label = Path(merged.model).name if merged.model else "demo"
    with naming_flags():
        plan = make_plan(merged, suite, environment.name(label), environment)
    subject_of(plan.arms[0].agent)  # a wrong agent or workspace is refused before anything is written
    if stop.width is None and not stop.until_decided:
        return plan
    return replace(plan, stopping=StoppingRule(default_looks(plan.blocks), stop.width, stop.until_decided))


_TAKEN: Final = frozenset(
    ("model", "adapter", "max_tokens", "temperature", "agent", "workspace"),
)


def _refuse_unused(configuration: Configuration, file: Path | None) -> None:
    """The benchmark of draft models has its own arms: what they can't have in common would be left out unseen."""
    for table, name, _ in configuration.values():
        if name not in _TAKEN:
            raise UsageError(
                f"{file}: bench speculative doesn't take {table}.{name}",
                remedy="leave it out, or compare arms of your own: bench run PLAN.toml --config FILE",
            )


def _created(benches: Path, plan: ExperimentPlan) -> BenchFolder:
    from punie.trace.bench.folder import BenchFolder

    folder = BenchFolder.create(benches, plan.bench_id)
    folder.write_plan(plan)
    return folder


def _resumed(options: Options) -> tuple[BenchFolder, ExperimentPlan]:
    from punie.trace.bench.folder import BenchFolder
    from punie.trace.usecases.experiment import add_blocks

    folder = BenchFolder.open(options.place.resume or Path())
    plan = folder.read_plan()
    planned_as = RUN if plan.speculative is None else SPECULATIVE
    if options.benchmark != planned_as:
        raise UsageError(
            f"--resume {folder.path}: was begun by bench {planned_as}",
            remedy=f"punie-trace bench {planned_as}",
        )
    return folder, add_blocks(folder, options.measured.blocks) if "blocks" in options.given else plan


def _run(folder: BenchFolder, plan: ExperimentPlan, options: Options, output: Output) -> int:
    import asyncio

    from punie.trace.bench.plan import plan_cells
    from punie.trace.console.bench_progress import BenchProgress
    from punie.trace.usecases.experiment import ExperimentRun
    from punie.trace.usecases.interruption import reporting_how_to_resume
    from punie.trace.usecases.measured_folder import bench_documents
    from punie.trace.usecases.speculative_benchmark import SpeculativeBenchmark

    progress = BenchProgress()
    progress.plan(plan_cells(plan))
    progress.log(f"benchmark: {folder.path}")
    if {arm.name for arm in plan.arms} <= {plan.baseline, plan.same_again}:
        progress.log(
            "  the plan has no arm but the baseline: this shows only how far two of its starts differ"
        )
    again = f"punie-trace bench {options.benchmark} --resume {folder.path}"
    with reporting_how_to_resume(progress.log, f"ended early; what is done is kept: {again}"):
        if plan.speculative is None:
            measured = asyncio.run(ExperimentRun(folder, plan, progress).execute())
        elif options.place.preflight_only:
            asyncio.run(SpeculativeBenchmark.of(folder, plan, progress).predict())
            return _conclude_preflight(folder, plan, output)
        else:
            measured = asyncio.run(SpeculativeBenchmark.of(folder, plan, progress).execute())
    _write(folder, *bench_documents(folder.path), output, progress)
    return _exit_code(measured, progress, again)


def _show_plan(plan: ExperimentPlan, benches: Path, output: Output) -> int:
    from punie.trace.report.builders.experiment_plan import build_experiment_plan
    from punie.trace.usecases.estimate import PLACES, last_seen, server_name

    seen = last_seen(plan.suite_hash, server_name(plan.arm(plan.baseline)), (*PLACES, benches))
    output.write(build_experiment_plan(plan, (seen.arm_ns, seen.source) if seen else None))
    return ExitCode.OK


def _conclude_preflight(folder: BenchFolder, plan: ExperimentPlan, output: Output) -> int:
    from punie.trace.analysis.speculative.preset import as_benchmark
    from punie.trace.report.builders.preflight import build_preflight
    from punie.trace.usecases.about import DEMO_NOTE

    preflight = folder.read_preflight()
    if preflight is None:
        raise AssertionError(f"{folder.path}: the preflight ended without a result and without an error")
    caveats = (DEMO_NOTE,) if plan.is_demo else ()
    output.write(build_preflight(str(folder.path), as_benchmark(plan), preflight, caveats))
    return ExitCode.OK


def _write(
    folder: BenchFolder, document: Document, diary: Document, output: Output, progress: BenchProgress
) -> None:
    """Into the folder, and where it was asked for, even if the folder takes nothing any more."""
    from punie.trace.report.formats import HTML, JSON, MARKDOWN
    from punie.trace.store.files.whole_file import write_whole

    try:
        write_whole(folder.path / "report.json", JSON.byte_pieces(document))
        write_whole(folder.path / "report.md", MARKDOWN.write(diary))
        write_whole(folder.path / "report.html", HTML.write_bytes(diary))
        progress.log(f"report as a page: {folder.path / 'report.html'}")
    finally:
        output.write(diary if output.format is MARKDOWN else document)


def _exit_code(measured: Measured, progress: BenchProgress, again: str) -> int:
    from punie.trace.units import count_text

    failed = [cell for cell in measured.cells if cell.error]
    if not failed:
        return ExitCode.OK
    first = failed[0]
    progress.log(
        f"{count_text(len(failed), 'cell')} failed, first {first.name}: {first.error}; tried again by: {again}"
    )
    return ExitCode.SERVER
