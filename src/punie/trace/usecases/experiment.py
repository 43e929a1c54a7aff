"""Experiments of any arms: begun from a plan, run, resumed with more blocks, reported."""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from punie.trace.analysis.experiment.results import StopReason, analyse
from punie.trace.analysis.experiment.summary import Limits
from punie.trace.analysis.verdicts.target import DEFAULT_TARGET_NS
from punie.trace.bench.executor import FolderExecutor
from punie.trace.bench.folder import BenchFolder
from punie.trace.bench.measurements import read_measured
from punie.trace.errors import UsageError
from punie.trace.report.content import ExperimentContent
from punie.trace.server.memory_limit import recommended_limit
from punie.trace.usecases.about import DEMO_NOTE
from punie.trace.usecases.interruption import cancel_on

if TYPE_CHECKING:
    from punie.trace.analysis.experiment.measured import Measured
    from punie.trace.analysis.experiment.plan import ExperimentPlan
    from punie.trace.console.bench_progress import BenchProgress


@dataclass(frozen=True, slots=True)
class ExperimentRun:
    """A planned experiment in its folder."""

    folder: BenchFolder
    plan: ExperimentPlan
    progress: BenchProgress

    async def execute(self) -> Measured:
        """Every block that isn't done, as far as the rule for stopping lets it. Raises PunieTraceError."""
        cancel_on(signal.SIGTERM)
        with self.progress.shown():
            executor = FolderExecutor(self.folder, self.progress, recommended_limit().limit_bytes)
            return await executor.run(self.plan)


def add_blocks(folder: BenchFolder, blocks: int) -> ExperimentPlan:
    """The folder's plan with more blocks, written to it. Raises UsageError for fewer, InputError.

    Where the experiment had ended, somebody has seen its result: what is added is one more look.
    """
    plan = folder.read_plan()
    ended = analyse(read_measured(folder)).ended
    had_ended = ended.why is not StopReason.UNFINISHED
    present = ended.blocks if had_ended else plan.blocks
    if blocks <= present:
        raise UsageError(
            f"--blocks {blocks}: {folder.path} has {present} already",
            remedy="name a larger number of blocks in all",
        )
    looks = plan.stopping.looks
    if looks and not plan.added_at and not had_ended:
        looks = (*(look for look in looks if look < blocks and look != plan.blocks), blocks)
    added = (*plan.added_at, ended.blocks) if had_ended else plan.added_at
    changed = replace(plan, blocks=blocks, added_at=added, stopping=replace(plan.stopping, looks=looks))
    folder.write_plan(changed)
    return changed


def build_experiment_report(path: Path, limits: Limits | None = None) -> ExperimentContent:
    """The report of the experiment at `path`, finished or not; the plan's limits where none are given.

    Raises InputError.
    """
    measured = read_measured(BenchFolder.open(path))
    plan = measured.plan
    limits = limits or Limits(plan.target_ns or DEFAULT_TARGET_NS, plan.max_memory_bytes)
    return ExperimentContent(str(path), analyse(measured, limits), (DEMO_NOTE,) if plan.is_demo else ())
