"""The stages of an improvement as experiments: their plans, and real servers that run them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Final

from punie.trace.analysis.experiment.arms import Arm, ExpectedOutput
from punie.trace.analysis.experiment.measured import Measured
from punie.trace.analysis.experiment.plan import SAME_AGAIN_SUFFIX, ExperimentPlan
from punie.trace.analysis.experiment.results import Experiment, analyse
from punie.trace.analysis.improvement.measurement import measure
from punie.trace.analysis.improvement.model import Budget, LeverSet, Stage, StageMeasurement, StagePlan
from punie.trace.analysis.improvement.settings import ImproveSettings
from punie.trace.bench.executor import FolderExecutor
from punie.trace.bench.improve_folder import ImproveFolder
from punie.trace.bench.levers.registry import parse_change
from punie.trace.bench.listener import Listener
from punie.trace.bench.measurements import read_measured
from punie.trace.bench.plan import grouped, plan_cells
from punie.trace.errors import InputError

BASELINE: Final = "baseline"
_WITH_NOISE_FLOOR: Final = frozenset({Stage.BASELINE, Stage.SCREENING})
_LONGEST_NAME: Final = 60


def stage_plan(settings: ImproveSettings, plan: StagePlan) -> ExperimentPlan:
    """The experiment that a stage means. Each stage has orders of its own. Raises UsageError for an unknown lever."""
    baseline = replace(settings.baseline, name=BASELINE, levers=(), output=ExpectedOutput.SAME)
    again = (
        replace(baseline, name=f"{BASELINE}{SAME_AGAIN_SUFFIX}") if plan.stage in _WITH_NOISE_FLOOR else None
    )
    arms = (baseline, *((again,) if again else ()), *(arm_of(baseline, levers) for levers in plan.arms))
    return ExperimentPlan(
        bench_id=f"{settings.improve_id}/{plan.stage}",
        arms=grouped(arms, apart=again),
        baseline=BASELINE,
        same_again=again.name if again else None,
        suite=settings.suite,
        suite_name=settings.suite_name,
        suite_hash=settings.suite_hash,
        queries=settings.queries,
        blocks=plan.blocks,
        repeats=1,
        seed=settings.seed + 1 + list(Stage).index(plan.stage),
        created=settings.created,
        target_ns=settings.target_ns,
        max_memory_bytes=settings.max_memory_bytes,
        query_timeout=settings.query_timeout,
        ready_timeout=settings.ready_timeout,
        is_demo=settings.is_demo,
        versions=settings.versions,
        machine=settings.machine,
    )


def arm_of(baseline: Arm, levers: LeverSet) -> Arm:
    """The baseline with these levers, one after the other. Raises UsageError."""
    arm = baseline
    for lever in levers:
        arm = parse_change(lever).to(arm)
    return replace(arm, name=_arm_name(levers)) if levers else arm


def _arm_name(levers: LeverSet) -> str:
    """What may be a part of a folder's name, and is another for other levers."""
    text = "+".join(levers)
    plain = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[-_LONGEST_NAME:].strip("-")
    digest = sum(ord(character) * (place + 1) for place, character in enumerate(text)) % 1000
    return plain if plain == text else f"{plain}-{digest:03d}"


@dataclass
class RecordedExecutor:
    """The stages in the folder of an improvement that ended: nothing is run."""

    folder: ImproveFolder
    settings: ImproveSettings
    measured: dict[Stage, Measured] = field(default_factory=dict)

    async def measure(self, plan: StagePlan) -> StageMeasurement:
        """What the stage left behind. Raises InputError where blocks are missing."""
        folder = self.folder.stage_if_there(plan.stage)
        measured = None if folder is None else read_measured(folder)
        if measured is None or measure(plan.stage, measured).blocks < plan.blocks:
            raise InputError(
                f"{self.folder.path}: the improvement hasn't ended",
                remedy=f"go on with it: punie-trace improve --resume {self.folder.path}",
            )
        return self.keep(plan, measured)

    def keep(self, plan: StagePlan, measured: Measured) -> StageMeasurement:
        """What was measured in a stage, kept for its report."""
        self.measured[plan.stage] = measured
        return measure(plan.stage, measured)

    def budget(self) -> Budget:
        """Time is that of the cells which the stages so far needed: the same whenever it is asked at this point."""
        took = list(_took(self.measured.values()))
        arms = sum(len(cell) for cell, _ in took)
        spent = sum(ns for _, ns in took)
        return Budget(self.settings.budget_ns, spent, spent // arms if arms else 0)

    def experiments(self) -> Mapping[Stage, Experiment]:
        """Every stage so far, analysed."""
        return {stage: analyse(measured) for stage, measured in self.measured.items()}


@dataclass
class RealExecutor(RecordedExecutor):
    """Runs stages on real servers, in the folder of an improvement. `begins` is called before each stage."""

    _: KW_ONLY
    progress: Listener
    recommended_bytes: int | None
    begins: Callable[[StagePlan, ExperimentPlan], None]

    async def measure(self, plan: StagePlan) -> StageMeasurement:
        """Run the blocks that aren't there yet. Raises PunieTraceError for what can't be run."""
        experiment, folder = stage_plan(self.settings, plan), self.folder.stage(plan.stage)
        folder.write_plan(experiment)
        folder.keep_only(plan_cells(experiment))  # with more budget more levers are tried
        self.begins(plan, experiment)
        return self.keep(
            plan, await FolderExecutor(folder, self.progress, self.recommended_bytes).run(experiment)
        )


def _took(measured: Iterable[Measured]) -> Iterable[tuple[tuple[str, ...], int]]:
    """The arms of each cell that a stage needed, and how long it took."""
    for one in measured:
        names = {cell.name for cell in plan_cells(one.plan)}
        for cell in one.cells:
            if cell.name in names and cell.took_ns is not None:
                yield cell.arms, cell.took_ns
