"""Training a model to say less, from its own runs to the judgement.

Every step leaves files, and what is there isn't done again: an interrupted training goes on where it was.
"""

from __future__ import annotations

import signal
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.analysis.experiment.results import analyse as analyse_experiment
from punie.trace.analysis.experiment.results import answered
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.tuning.checkpoints import Checkpoint, best_checkpoint
from punie.trace.analysis.tuning.fusing import Fused, FuseWay, first_to_pass
from punie.trace.analysis.tuning.judgement import ArmKind, JudgedArm, Judgement, Times, judge, kept
from punie.trace.analysis.tuning.output_kinds import output_kinds
from punie.trace.analysis.tuning.training import Ending, SeedLoss, Training
from punie.trace.analysis.tuning.trajectories import shortest_right
from punie.trace.analysis.tuning.worth import can_pay, ceiling, predicted_worth
from punie.trace.bench.child import ChildJob
from punie.trace.bench.executor import FolderExecutor
from punie.trace.bench.plan import plan_cells
from punie.trace.errors import InputError, ServerError
from punie.trace.model import Verdict
from punie.trace.store.documents import read_text
from punie.trace.tuning import experiments
from punie.trace.tuning.examples import Row, own_rows, rows_of, trajectories
from punie.trace.tuning.lora import LoraRun
from punie.trace.tuning.rows import Rendered, lint_rows, render_rows, training_memory, write_data
from punie.trace.units import count_text
from punie.trace.usecases.interruption import cancel_on
from punie.trace.usecases.training_steps import planned_steps

if TYPE_CHECKING:
    from punie.trace.analysis.experiment.arms import Arm
    from punie.trace.analysis.experiment.measured import Measured
    from punie.trace.analysis.experiment.observation import Observation
    from punie.trace.analysis.experiment.plan import ExperimentPlan
    from punie.trace.analysis.experiment.results import ArmResult
    from punie.trace.analysis.tuning.linting import Lint, TrainingMemory
    from punie.trace.analysis.tuning.trajectories import Trajectory
    from punie.trace.console.bench_progress import BenchProgress
    from punie.trace.model import Span
    from punie.trace.tuning.folder import TrainingFolder
    from punie.trace.tuning.plan import TrainingPlan
    from punie.trace.usecases.training_plan import Recorded
    from punie.trace.workload.suite import Suite

_FUSE_S: Final = 3600.0
_ARM_KINDS: Final = {
    experiments.BASE: ArmKind.BASE,
    experiments.BRIEF: ArmKind.BRIEF,
    experiments.ADAPTER: ArmKind.ADAPTER,
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """The data of a training: which queries gave examples, their rows, what the linter says of them."""

    examples: tuple[str, ...]
    rendered: tuple[Rendered, ...]
    lint: Lint
    memory: TrainingMemory | None
    shortest: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ConciseTraining:
    """One training in its folder. `recommended_bytes` is the machine's limit for a model."""

    folder: TrainingFolder
    plan: TrainingPlan
    recorded: Recorded
    suite: Suite
    progress: BenchProgress
    recommended_bytes: int | None

    def planned(self) -> Training:
        """What a dry run shows: the split, the steps and how long they will take."""
        plan = self.plan
        return Training(
            source=str(self.folder.path),
            created=plan.created,
            model=plan.model,
            adapter=plan.adapter,
            suite=plan.suite_name,
            split=plan.split,
            texts={query.id: query.text for query in self.suite.queries},
            families={query.id: query.family for query in self.suite.queries},
            margin=plan.margin,
            settings=_shown_settings(plan),
            seeds=plan.seeds,
            samples=plan.samples,
            temperature=plan.temperature,
            ending=Ending.PLANNED,
            steps=planned_steps(plan, self.recorded),
            decode=ceiling(self.recorded.records),
            is_demo=plan.is_demo,
        )

    async def execute(self, *, anyway: bool) -> Training:
        """All steps that aren't done; ends early where training can't pay, unless `anyway`. Raises PunieTraceError."""
        cancel_on(signal.SIGTERM)
        made = self.planned()
        if can_pay(self.recorded.records) is Verdict.NO and not anyway:
            return replace(made, ending=Ending.LITTLE_DECODE)
        with self.progress.shown():
            prepared = await self._prepare()
            worth = predicted_worth(self.recorded.records, prepared.shortest)
            made = replace(
                made,
                worth=worth,
                examples=prepared.examples,
                rows=len(prepared.rendered),
                lint=prepared.lint,
                memory=prepared.memory,
            )
            if not (worth.pays or anyway):
                return replace(made, ending=Ending.NOTHING_SHORTER)
            if prepared.lint.refused:
                return replace(made, ending=Ending.REFUSED)
            write_data(prepared.rendered, prepared.lint.kept, self.folder.data)
            return await self._train_and_judge(made)

    async def _train_and_judge(self, made: Training) -> Training:
        losses = [await self._train(seed) for seed in self.plan.seeds]
        checkpoints, paths = await self._validate()
        best = best_checkpoint(checkpoints)
        if best is None:
            raise AssertionError("a training ended without a checkpoint")
        self.progress.say(
            f"kept: {best.name} ({best.right} of {best.asked} right, {best.output_tokens:.0f} tokens)"
        )
        fused = await self._fuse(paths[best.name])
        judgement = await self._judge(paths[best.name], first_to_pass(fused))
        return replace(
            made,
            ending=Ending.JUDGED,
            losses=tuple(losses),
            checkpoints=tuple(checkpoints),
            best=best,
            fused=tuple(fused),
            judgement=judgement,
        )

    async def _prepare(self) -> Prepared:
        """Ask for samples, choose the shortest right ones, render and lint their rows."""
        self.progress.say(
            f"samples: {count_text(len(self.plan.split.train), 'query', 'queries')}, {self.plan.samples} times each"
        )
        await self._experiment(experiments.SAMPLING, experiments.sampling(self.plan))
        candidates, traces = self._sampled()
        best = shortest_right(candidates)
        rows = [row for query_id, one in best.items() for row in rows_of(query_id, traces[one.place])]
        rows += self._own_rows()
        if not rows:
            raise InputError(
                f"{self.folder.path}: no right answer with its content was recorded: nothing can be trained on",
                remedy="Look at the sampled answers: punie-trace report on a folder in samples/cells.",
            )
        rendered = await render_rows(rows, self.plan.model, self.folder.path / "rows", self.progress.working)
        memory = training_memory(self.plan.model, rendered, self.plan.settings, self.recommended_bytes)
        shortest = {query_id: one.output_tokens or 0 for query_id, one in best.items()}
        return Prepared(
            tuple(sorted(best)), rendered, lint_rows(rendered, self.plan.settings, memory), memory, shortest
        )

    def _sampled(self) -> tuple[list[Trajectory], dict[str, list[Span]]]:
        candidates: list[Trajectory] = []
        traces: dict[str, list[Span]] = {}
        for run in self.folder.experiment(experiments.SAMPLING).finished_runs():
            spans, plan = run.load_spans(), run.read_plan()
            cell = run.path.name
            for span in spans.spans:
                traces.setdefault(f"{cell}/{span.trace_id}", []).append(span)
            read = read_queries(spans, plan.planned, now_ns=plan.now_ns)
            candidates += trajectories(read.records, cell)
        return candidates, traces

    def _own_rows(self) -> tuple[Row, ...]:
        file = self.plan.examples
        return own_rows(read_text(Path(file)).splitlines(), file) if file else ()

    def _lora(self, seed: int) -> LoraRun:
        plan = self.plan
        return LoraRun(
            plan.model, plan.adapter, self.folder.data, self.folder.adapters(seed), plan.settings, seed
        )

    async def _train(self, seed: int) -> SeedLoss:
        self.progress.say(f"training, seed {seed}: {self.plan.settings.iters} iterations")
        shown = partial(self._say_training, seed)
        losses = await self._lora(seed).execute(shown)
        return SeedLoss(seed, losses.train, losses.peak_bytes, losses.restarts)

    def _say_training(self, seed: int, step: str) -> None:
        self.progress.working(f"training, seed {seed}: {step}")

    async def _validate(self) -> tuple[list[Checkpoint], dict[str, Path]]:
        """Every checkpoint over the validation queries, beside the base."""
        found = {
            f"seed-{seed}-{iteration}": (seed, iteration, path)
            for seed in self.plan.seeds
            for iteration, path in self._lora(seed).checkpoints().items()
        }
        paths = {name: path for name, (_, _, path) in found.items()}
        self.progress.say(f"validation: {count_text(len(paths), 'checkpoint')} beside the base")
        plan = experiments.validation(self.plan, paths)
        measured = await self._experiment(experiments.VALIDATION, plan)
        base = _right(measured, experiments.BASE)
        checkpoints = [
            _checkpoint(measured, name, seed, iteration, base) for name, (seed, iteration, _) in found.items()
        ]
        return checkpoints, paths

    async def _fuse(self, adapter: Path) -> list[Fused]:
        """The ways to fuse, one after the other, until one passes its gate."""
        forms: list[Fused] = []
        for way in FuseWay:
            out = self.folder.fused(way)
            if not (out / "config.json").exists():
                job = {"model": self.plan.model, "adapter": str(adapter), "out": str(out), "way": way.value}
                self.progress.say(f"fusing: {way.value}")
                child = ChildJob("punie.trace.tuning.fuse_process", self.folder.path / f"fuse-{way}", _FUSE_S)
                await child.run(job, self.progress.working)
            forms.append(await self._gate(way, adapter, out))
            if forms[-1].passes:
                break
        return forms

    async def _gate(self, way: FuseWay, adapter: Path, out: Path) -> Fused:
        plan = experiments.fusing(self.plan, way, adapter, out)
        measured = await self._experiment(f"fusing-{way}", plan)
        name = plan.arms[1].name
        beside = kept(_right(measured, experiments.ADAPTER), _right(measured, name))
        return Fused(
            name=name,
            way=way,
            lost=beside.worse,
            right=beside.right,
            asked=beside.asked,
            tokens=_tokens(measured, name),
            adapter_tokens=_tokens(measured, experiments.ADAPTER),
            decode=_relative_decode(measured, name),
        )

    async def _judge(self, adapter: Path, fused: Fused | None) -> Judgement:
        arms: list[Arm] = [experiments.adapter_arm(self.plan, experiments.ADAPTER, adapter)]
        if fused is not None:
            arms.append(experiments.fused_arm(self.plan, fused.name, self.folder.fused(fused.way)))
        self.progress.say(
            f"judgement: {count_text(len(self.plan.split.judged), 'query', 'queries')} never trained on"
        )
        measured = await self._experiment(experiments.JUDGEMENT, experiments.judgement(self.plan, arms))
        spans = [
            span
            for run in self.folder.experiment(experiments.JUDGEMENT).finished_runs()
            for span in run.load_spans().spans
        ]
        return judge(list(_judged(measured, spans)), self.plan.margin)

    async def _experiment(self, name: str, plan: ExperimentPlan) -> Measured:
        folder = self.folder.experiment(name)
        self.progress.plan(plan_cells(plan))
        measured = await FolderExecutor(folder, self.progress, self.recommended_bytes).run(plan)
        if failed := [cell for cell in measured.cells if cell.error]:
            raise ServerError(
                f"{name}: {failed[0].name} failed: {failed[0].error}",
                remedy=f"see {folder.cells_dir / failed[0].name}; go on with --resume {self.folder.path}",
            )
        return measured


def _shown_settings(plan: TrainingPlan) -> Mapping[str, str]:
    settings = plan.settings
    return {
        "iters": str(settings.iters),
        "num_layers": str(settings.num_layers),
        "rank": str(settings.rank),
        "scale": f"{settings.scale:g}",
        "keys": ", ".join(settings.keys),
        "learning_rate": f"{settings.learning_rate:g}",
        "batch_size": str(settings.batch_size),
        "max_seq_length": str(settings.max_seq_length),
    }


def _of(measured: Measured, arm: str) -> Iterator[Observation]:
    return (seen for seen in measured.observations if seen.arm == arm)


def _right(measured: Measured, arm: str) -> dict[str, list[bool]]:
    """By query whether each asking was right; askings that somebody ended from outside say nothing."""
    found: dict[str, list[bool]] = {}
    for seen in _of(measured, arm):
        right = answered(seen).right
        if right is not None:
            found.setdefault(seen.query_id, []).append(right)
    return found


def _tokens(measured: Measured, arm: str) -> float | None:
    known = [seen.output_tokens for seen in _of(measured, arm) if seen.output_tokens is not None]
    return statistics.fmean(known) if known else None


def _checkpoint(
    measured: Measured, name: str, seed: int, iteration: int, base: Mapping[str, Sequence[bool]]
) -> Checkpoint:
    beside = kept(base, _right(measured, name))
    return Checkpoint(
        name, seed, iteration, beside.right, beside.asked, beside.worse, _tokens(measured, name)
    )


def _relative_decode(measured: Measured, arm: str) -> float | None:
    """Time for an output token, relative to the unfused adapter's."""
    costs = []
    for name in (arm, experiments.ADAPTER):
        known = [(seen.decode_ns, seen.output_tokens) for seen in _of(measured, name)]
        whole = [(ns, tokens) for ns, tokens in known if ns is not None and tokens]
        if not whole:
            return None
        costs.append(sum(ns for ns, _ in whole) / sum(tokens for _, tokens in whole))
    return costs[0] / costs[1] if costs[1] else None


def _judged(measured: Measured, spans: Sequence[Span]) -> Iterator[JudgedArm]:
    experiment = analyse_experiment(measured)
    base = _right(measured, measured.plan.baseline)
    for result in experiment.arms:
        name = result.arm.name
        seen = list(_of(measured, name))
        walls = [one.wall_ns for one in seen if one.counts]
        yield JudgedArm(
            name=name,
            kind=_ARM_KINDS.get(name, ArmKind.FUSED),
            tokens=_tokens(measured, name),
            kinds=output_kinds(spans, (one.record.trace_id for one in seen)),
            wall_ns=statistics.fmean(walls) if walls else None,
            times=_times(result),
            kept=kept(base, _right(measured, name)),
        )


def _times(result: ArmResult) -> Times | None:
    if result.speed_up is None or result.interval is None:
        return None
    return Times(result.speed_up.estimate, result.interval.low, result.interval.high)
