"""Training a model to say less, from its own runs to the judgement.

Every step leaves files, and what is there isn't done again: an interrupted training goes on where it was.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from punie.trace.analysis.tuning.checkpoints import best_checkpoint
from punie.trace.analysis.tuning.fusing import first_to_pass
from punie.trace.analysis.tuning.training import SeedLoss, Training, TrainingEnding
from punie.trace.analysis.tuning.worth import can_pay, ceiling, predicted_worth
from punie.trace.model import Verdict
from punie.trace.tuning.lora import LoraRun
from punie.trace.tuning.rows import write_data
from punie.trace.usecases.interruption import cancel_on
from punie.trace.usecases.training_data import prepare
from punie.trace.usecases.training_experiments import TrainingExperiments
from punie.trace.usecases.training_steps import planned_steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from punie.trace.console.bench_progress import BenchProgress
    from punie.trace.tuning.folder import TrainingFolder
    from punie.trace.tuning.plan import TrainingPlan
    from punie.trace.usecases.training_plan import RecordedRuns
    from punie.trace.workload.suite import Suite


@dataclass(frozen=True, slots=True)
class ConciseTraining:
    """One training in its folder. `recommended_bytes` is the machine's limit for a model."""

    folder: TrainingFolder
    plan: TrainingPlan
    recorded: RecordedRuns
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
            ending=TrainingEnding.PLANNED,
            steps=planned_steps(plan, self.recorded),
            decode=ceiling(self.recorded.records),
            is_demo=plan.is_demo,
            versions=plan.versions,
            machine=plan.machine,
        )

    async def execute(self, *, anyway: bool) -> Training:
        """All steps that aren't done; ends early where training can't pay, unless `anyway`. Raises PunieTraceError."""
        cancel_on(signal.SIGTERM)
        made = self.planned()
        if can_pay(self.recorded.records) is Verdict.NO and not anyway:
            return replace(made, ending=TrainingEnding.LITTLE_DECODE)
        with self.progress.shown():
            prepared = await prepare(self._experiments)
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
                return replace(made, ending=TrainingEnding.NOTHING_SHORTER)
            if prepared.lint.refused:
                return replace(made, ending=TrainingEnding.REFUSED)
            write_data(prepared.rendered, prepared.lint.kept, self.folder.data)
            return await self._train_and_judge(made)

    @property
    def _experiments(self) -> TrainingExperiments:
        return TrainingExperiments(self.folder, self.plan, self.progress, self.recommended_bytes)

    async def _train_and_judge(self, made: Training) -> Training:
        losses = [await self._train(seed) for seed in self.plan.seeds]
        saved = {one.name: one for seed in self.plan.seeds for one in self._lora(seed).checkpoints()}
        checkpoints = await self._experiments.validate(tuple(saved.values()))
        best = best_checkpoint(checkpoints)
        if best is None:
            raise AssertionError("a training ended without a checkpoint")
        self.progress.log(
            f"kept: {best.name} ({best.right} of {best.asked} right, {best.output_tokens:.0f} tokens)"
        )
        adapter = saved[best.name].path
        fused = await self._experiments.fuse(adapter)
        judgement = await self._experiments.judge(adapter, first_to_pass(fused))
        return replace(
            made,
            ending=TrainingEnding.JUDGED,
            losses=tuple(losses),
            checkpoints=tuple(checkpoints),
            best=best,
            fused=tuple(fused),
            judgement=judgement,
        )

    def _lora(self, seed: int) -> LoraRun:
        plan = self.plan
        return LoraRun(
            plan.model, plan.adapter, self.folder.data, self.folder.adapters(seed), plan.settings, seed
        )

    async def _train(self, seed: int) -> SeedLoss:
        self.progress.log(f"training, seed {seed}: {self.plan.settings.iters} iterations")
        losses = await self._lora(seed).execute(partial(self._log_training, seed))
        return SeedLoss(seed, losses.train, losses.peak_bytes, losses.restarts)

    def _log_training(self, seed: int, step: str) -> None:
        self.progress.working(f"training, seed {seed}: {step}")


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
