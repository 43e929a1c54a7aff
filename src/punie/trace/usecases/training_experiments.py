"""The experiments of a training, run in its folder: what was asked is there and isn't asked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.analysis.tuning.checkpoints import Checkpoint
from punie.trace.analysis.tuning.fusing import Fused, FuseWay
from punie.trace.analysis.tuning.judgement import Judgement, ModelVariant, compare_accuracy, judge
from punie.trace.analysis.tuning.measured_arms import (
    judged_arms,
    output_tokens,
    relative_decode,
    right_answers,
)
from punie.trace.bench.child import ChildJob
from punie.trace.bench.executor import FolderExecutor
from punie.trace.bench.plan import plan_cells
from punie.trace.errors import ServerError
from punie.trace.tuning import experiments
from punie.trace.tuning.fuse_process import FuseJob
from punie.trace.units import count_text

if TYPE_CHECKING:
    from punie.trace.analysis.experiment.arms import Arm
    from punie.trace.analysis.experiment.measured import Measured
    from punie.trace.analysis.experiment.plan import ExperimentPlan
    from punie.trace.console.bench_progress import BenchProgress
    from punie.trace.tuning.folder import TrainingFolder
    from punie.trace.tuning.lora import SavedAdapter
    from punie.trace.tuning.plan import TrainingPlan

_FUSE_S: Final = 3600.0
_ARM_KINDS: Final = {
    experiments.BASE: ModelVariant.BASE,
    experiments.BRIEF: ModelVariant.BRIEF,
    experiments.ADAPTER: ModelVariant.ADAPTER,
}


@dataclass(frozen=True, slots=True)
class TrainingExperiments:
    """Asks the model in its forms. `recommended_bytes` is the machine's limit for a model, None if not known."""

    folder: TrainingFolder
    plan: TrainingPlan
    progress: BenchProgress
    recommended_bytes: int | None

    async def run(self, name: str, plan: ExperimentPlan) -> Measured:
        """One experiment in the folder `name`. Raises ServerError where a server start failed."""
        folder = self.folder.experiment(name)
        self.progress.plan(plan_cells(plan))
        measured = await FolderExecutor(folder, self.progress, self.recommended_bytes).run(plan)
        if failed := [cell for cell in measured.cells if cell.error]:
            raise ServerError(
                f"{name}: {failed[0].name} failed: {failed[0].error}",
                remedy=f"see {folder.cells_dir / failed[0].name}; go on with --resume {self.folder.path}",
            )
        return measured

    async def validate(self, saved: Sequence[SavedAdapter]) -> list[Checkpoint]:
        """Every checkpoint over the validation queries, beside the base."""
        self.progress.log(f"validation: {count_text(len(saved), 'checkpoint')} beside the base")
        plan = experiments.validation(self.plan, {one.name: one.path for one in saved})
        measured = await self.run(experiments.VALIDATION, plan)
        base = right_answers(measured, experiments.BASE)
        checkpoints: list[Checkpoint] = []
        for one in saved:
            beside = compare_accuracy(base, right_answers(measured, one.name))
            tokens = output_tokens(measured, one.name)
            counts = (beside.right, beside.asked, beside.worse, tokens)
            checkpoints.append(Checkpoint(one.name, one.seed, one.iteration, *counts))
        return checkpoints

    async def fuse(self, adapter: Path) -> list[Fused]:
        """The ways to fuse, one after the other, until one passes its gate."""
        forms: list[Fused] = []
        for way in FuseWay:
            out = self.folder.fused(way)
            if not (out / "config.json").exists():
                job = FuseJob(self.plan.model, str(adapter), str(out), way)
                self.progress.log(f"fusing: {way.value}")
                child = ChildJob("punie.trace.tuning.fuse_process", self.folder.path / f"fuse-{way}", _FUSE_S)
                await child.run(job, int, self.progress.working)
            forms.append(await self._gate(way, adapter, out))
            if forms[-1].passes:
                break
        return forms

    async def _gate(self, way: FuseWay, adapter: Path, out: Path) -> Fused:
        plan = experiments.fusing(self.plan, way, adapter, out)
        measured = await self.run(f"fusing-{way}", plan)
        name = plan.arms[1].name
        beside = compare_accuracy(right_answers(measured, experiments.ADAPTER), right_answers(measured, name))
        return Fused(
            name=name,
            way=way,
            lost=beside.worse,
            right=beside.right,
            asked=beside.asked,
            tokens=output_tokens(measured, name),
            adapter_tokens=output_tokens(measured, experiments.ADAPTER),
            decode=relative_decode(measured, name, experiments.ADAPTER),
        )

    async def judge(self, adapter: Path, fused: Fused | None) -> Judgement:
        """The adapter, and the fused form that passed, over what nobody trained on."""
        arms: list[Arm] = [experiments.adapter_arm(self.plan, experiments.ADAPTER, adapter)]
        if fused is not None:
            arms.append(experiments.fused_arm(self.plan, fused.name, self.folder.fused(fused.way)))
        self.progress.log(
            f"judgement: {count_text(len(self.plan.split.judged), 'query', 'queries')} never trained on"
        )
        measured = await self.run(experiments.JUDGEMENT, experiments.judgement(self.plan, arms))
        spans = [
            span
            for run in self.folder.experiment(experiments.JUDGEMENT).finished_runs()
            for span in run.load_spans().spans
        ]
        return judge(list(judged_arms(measured, _ARM_KINDS, spans)), self.plan.margin)
