"""`train`: teach a model from its own runs, where that can pay, and judge what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.commands.options import OutputOptions, refuse_given
from punie.trace.errors import ExitCode, UsageError
from punie.trace.flags import agent_flag, suite_flag, workspace_flag
from punie.trace.options import absolute, argument, flag, group, real_number, switch, whole_number

if TYPE_CHECKING:
    from punie.trace.analysis.tuning.training import Training
    from punie.trace.console.bench_progress import BenchProgress
    from punie.trace.tuning.folder import TrainingFolder
    from punie.trace.tuning.plan import TrainingPlan
    from punie.trace.usecases.concise_training import ConciseTraining
    from punie.trace.usecases.training_plan import RecordedRuns, TrainingOverrides

HELP: Final = "train a model to write shorter answers, from its own shortest right answers"
DESCRIPTION: Final = (
    "concise: does training the model to write shorter answers pay? Asks the model of RUN for several answers to each "
    "query, takes the shortest that is right, trains a LoRA adapter on them with mlx_lm, and judges it on queries that "
    "it wasn't trained on: against the model as it was, and against the model with an instruction to be brief. It ends "
    "early where decode is too small a share of the time, or where the model's own answers are no shorter. Exit code "
    "0: it is worth it, 1: it is not, 3: undecided. Interrupted, it goes on with --resume; with --blocks it then "
    "judges more passes."
)
EXAMPLES: Final = (
    "train concise runs/2026-11-23T14-05-09-demo --dry-run",
    "train concise runs/2026-11-23T14-05-09-demo --samples 8 -o training.md",
    "train concise --resume trainings/2026-11-23T15-00-00-concise",
)


@dataclass(frozen=True, slots=True)
class DataOptions:
    """What it is trained on."""

    suite: str | None = suite_flag(shown="as in the runs")
    agent: str | None = agent_flag(shown="as in the runs")
    workspace: str | None = workspace_flag(shown="as in the runs")
    examples: str | None = flag(
        "--examples", "FILE", "rows of your own, one JSON object with messages a line"
    )
    samples: int = flag(
        "--samples", "N", "answers asked for of each query", parse=whole_number(1, 1000), default=8
    )
    temperature: float = flag(
        "--temperature", "T", "of these answers", parse=real_number(0.01, 5), default=0.8
    )
    tool_queries: int = flag(
        "--tool-queries", "N", "queries with tools to train on, at least", parse=whole_number(0), default=25
    )
    direct_queries: int = flag(
        "--direct-queries",
        "N",
        "queries without tools to train on, at least",
        parse=whole_number(0),
        default=10,
    )
    validation_queries: int = flag(
        "--validation-queries",
        "N",
        "queries that choose the checkpoint, at least",
        parse=whole_number(2),
        default=10,
    )


@dataclass(frozen=True, slots=True)
class LoraOptions:
    """How it is trained; the names are mlx_lm's."""

    iterations: int = flag("--iterations", "N", "of training", parse=whole_number(1), default=300)
    layers: int = flag(
        "--layers", "N", "layers that are trained, from the last", parse=whole_number(1), default=16
    )
    rank: int = flag("--rank", "N", "of the adapter", parse=whole_number(1), default=8)
    learning_rate: float = flag("--learning-rate", "X", "of Adam", parse=real_number(0, 1), default=1e-4)
    batch_size: int = flag("--batch-size", "N", "rows an iteration", parse=whole_number(1), default=1)
    max_seq_length: int = flag(
        "--max-seq-length",
        "N",
        "tokens of a row; longer ones are left out",
        parse=whole_number(16),
        default=2048,
    )
    checkpoints: int = flag(
        "--checkpoints",
        "N",
        "how many are judged: the last, half way there, half way to that …",
        parse=whole_number(1, 12),
        default=6,
    )
    seeds: int = flag("--seeds", "N", "trainings with different seeds", parse=whole_number(1, 20), default=1)
    seed: int = flag("--seed", "N", "the first seed, also of the split", parse=whole_number(0), default=0)


@dataclass(frozen=True, slots=True)
class JudgementOptions:
    """How it is judged, and where it is kept."""

    blocks: int = flag("--blocks", "N", "passes of the judgement", parse=whole_number(1, 1000), default=3)
    margin: float = flag(
        "--margin",
        "SHARE",
        "share of right answers that may be lost",
        parse=real_number(0.001, 0.999),
        default=0.1,
    )
    anyway: bool = switch("--anyway", "train although it isn't predicted to pay")
    dry_run: bool = switch(
        "--dry-run", "show the data, the split and the time of each step; ask and train nothing"
    )
    trainings: Path = flag("--trainings", "DIR", "where trainings go", parse=Path, default=Path("trainings"))
    resume: Path | None = flag("--resume", "FOLDER", "go on with a training as it was planned", parse=Path)


@dataclass(frozen=True, slots=True)
class Options:
    """What `train` was asked to do."""

    goal: str = argument("GOAL", "what to train for: concise", choices=("concise",))
    runs: tuple[str, ...] = argument("RUN", "run folders of one model, one agent and one suite", nargs="*")
    data: DataOptions = group("data", DataOptions)
    lora: LoraOptions = group("training", LoraOptions)
    judged: JudgementOptions = group("judgement", JudgementOptions)
    output: OutputOptions = group("output", OutputOptions)
    given: frozenset[str] = frozenset()


_WITH_RESUME: Final = frozenset({"resume", "anyway", "blocks", "format", "output", "force", "trainings"})


def execute(options: Options) -> int:
    """Train and judge. Returns an exit code; raises PunieTraceError."""
    import asyncio

    from punie.trace.commands.output import Output
    from punie.trace.console.bench_progress import BenchProgress
    from punie.trace.report.builders.training import build_training
    from punie.trace.usecases.interruption import reporting_how_to_resume
    from punie.trace.usecases.training_outputs import write_outputs

    output, progress = Output.of(options.output), BenchProgress()
    if options.judged.resume is not None:
        training = _resumed(options, options.judged.resume, progress)
    else:
        training = _begun(options, progress)
    if options.judged.dry_run:
        output.write(build_training(training.planned()))
        return ExitCode.OK
    progress.log(f"training: {training.folder.path}")
    how = f"ended early; what is done is kept: punie-trace train concise --resume {training.folder.path}"
    with reporting_how_to_resume(progress.log, how):
        made = asyncio.run(training.execute(anyway=options.judged.anyway))
    document = build_training(made)
    progress.log_all(write_outputs(training, made, document))
    output.write(document)
    return _exit_code(made)


def _exit_code(made: Training) -> int:
    from punie.trace.model import Verdict

    codes = {Verdict.YES: ExitCode.OK, Verdict.NO: ExitCode.GATE_FAILED}
    return codes.get(made.verdict, ExitCode.GATE_UNDECIDED)


def _begun(options: Options, progress: BenchProgress) -> ConciseTraining:
    from punie.trace.machine.environment import Environment
    from punie.trace.tuning.folder import TrainingFolder
    from punie.trace.usecases.training_plan import make_training_plan, read_runs, with_absolute_paths

    if not options.runs:
        raise UsageError("train concise: which runs?", remedy="punie-trace train concise runs/FOLDER")
    sources = tuple(absolute(source) for source in options.runs)
    recorded = read_runs(sources)
    environment = Environment.now()
    name = environment.name(options.goal)
    plan = make_training_plan(recorded, sources, with_absolute_paths(_overrides(options)), name, environment)
    if options.judged.dry_run:
        return _training(TrainingFolder(options.judged.trainings / name), plan, recorded, progress)
    folder = TrainingFolder.create(options.judged.trainings, name)
    folder.write_plan(plan)
    return _training(folder, plan, recorded, progress)


def _resumed(options: Options, path: Path, progress: BenchProgress) -> ConciseTraining:
    from punie.trace.tuning.folder import TrainingFolder
    from punie.trace.usecases.training_plan import read_runs

    reason = "can't be used with --resume: the training goes on as it was planned"
    remedy = "leave it out, or begin a new training"
    if options.runs:
        raise UsageError(f"RUN {reason}", remedy=remedy)
    refuse_given(Options, options.given - _WITH_RESUME, reason, remedy)
    folder = TrainingFolder.open(path)
    plan = folder.read_plan()
    if "blocks" in options.given:
        plan = _with_more_blocks(folder, plan, options.judged.blocks)
    return _training(folder, plan, read_runs(plan.runs), progress)


def _with_more_blocks(folder: TrainingFolder, plan: TrainingPlan, blocks: int) -> TrainingPlan:
    """The plan with more passes of the judgement, written down; what was asked in the others is kept."""
    from punie.trace.tuning.experiments import JUDGEMENT
    from punie.trace.usecases.experiment import add_blocks

    if (judged := folder.experiment(JUDGEMENT)).has_plan():
        add_blocks(judged, blocks)
    plan = replace(plan, blocks=blocks)
    folder.write_plan(plan)
    return plan


def _training(
    folder: TrainingFolder, plan: TrainingPlan, recorded: RecordedRuns, progress: BenchProgress
) -> ConciseTraining:
    from punie.trace.server.memory_limit import recommended_limit
    from punie.trace.usecases.concise_training import ConciseTraining
    from punie.trace.usecases.training_plan import suite_of

    suite = suite_of(recorded.plan, plan.suite)
    return ConciseTraining(folder, plan, recorded, suite, progress, recommended_limit().limit_bytes)


def _overrides(options: Options) -> TrainingOverrides:
    from punie.trace.analysis.tuning.split import SplitMinimums
    from punie.trace.tuning.plan import LoraSettings
    from punie.trace.usecases.training_plan import TrainingOverrides

    data, lora = options.data, options.lora
    direct = max(1, round(0.4 * data.validation_queries))
    return TrainingOverrides(
        suite=data.suite,
        agent=data.agent,
        workspace=data.workspace,
        examples=data.examples,
        settings=LoraSettings(
            iters=lora.iterations,
            num_layers=lora.layers,
            batch_size=lora.batch_size,
            learning_rate=lora.learning_rate,
            max_seq_length=lora.max_seq_length,
            rank=lora.rank,
            checkpoints=lora.checkpoints,
        ),
        seeds=tuple(range(lora.seed, lora.seed + lora.seeds)),
        samples=data.samples,
        temperature=data.temperature,
        blocks=options.judged.blocks,
        margin=options.judged.margin,
        trained=SplitMinimums(data.tool_queries, data.direct_queries),
        validated=SplitMinimums(data.validation_queries - direct, direct),
    )
