"""Whoever runs the blocks of a plan: real servers in a folder, or a stand-in that makes times up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from punie.trace.analysis.experiment.looks import looks_of
from punie.trace.analysis.experiment.measured import Measured
from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.analysis.experiment.results import stops_at
from punie.trace.bench.execute import Execution
from punie.trace.bench.folder import BenchFolder
from punie.trace.bench.listener import Listener
from punie.trace.bench.measurements import read_measured
from punie.trace.bench.runtime import Runtime


class Executor(Protocol):
    """Runs experiments."""

    async def run(self, plan: ExperimentPlan) -> Measured:
        """Run the blocks of `plan` that aren't there yet, as far as its rule for stopping lets it; all that is there.

        A server that fails is a cell with an error, not an exception.
        """


@dataclass(frozen=True, slots=True)
class FolderExecutor:
    """Real servers, everything kept in `folder`: after an interruption it goes on where it was.

    `recommended_bytes` is what the machine recommends for a model; None is not known.
    """

    folder: BenchFolder
    progress: Listener
    recommended_bytes: int | None = None

    async def run(self, plan: ExperimentPlan) -> Measured:
        """As `Executor`; `plan` is written to the folder if it has none yet.

        Raises PunieTraceError for what can't be run.
        """
        if not self.folder.has_plan():
            self.folder.write_plan(plan)
        looks = {look.blocks: look for look in looks_of(plan) if look.may_stop}

        def is_over(blocks: int) -> bool:
            look = looks.get(blocks)
            return look is not None and stops_at(read_measured(self.folder), look) is not None

        runtime = Runtime.of(plan)
        await Execution(self.folder, runtime, self.progress, self.recommended_bytes, is_over).run()
        return read_measured(self.folder)
