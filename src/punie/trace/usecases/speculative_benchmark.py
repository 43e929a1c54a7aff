"""Running a benchmark of draft models: preflight, cells, the look at differences. What is done is kept."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Self

from punie.trace.analysis.experiment.losslessness import find_divergences
from punie.trace.analysis.experiment.measured import Measured
from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.analysis.speculative.model import BenchPlan, Preflight
from punie.trace.analysis.speculative.preset import as_benchmark
from punie.trace.bench.executor import FolderExecutor
from punie.trace.bench.folder import BenchFolder
from punie.trace.bench.logit_gaps import look_at_gaps
from punie.trace.bench.measurements import read_measurements
from punie.trace.bench.preflight.run import PreflightSettings, run_preflight
from punie.trace.bench.runtime import Runtime
from punie.trace.console.bench_progress import BenchProgress
from punie.trace.errors import ServerError
from punie.trace.model import Verdict
from punie.trace.report.wording.speculative import preflight_reason
from punie.trace.server.memory_limit import recommended_limit
from punie.trace.units import count_text
from punie.trace.usecases.interruption import cancel_on


@dataclass(frozen=True, slots=True)
class SpeculativeBenchmark:
    """A planned benchmark in its folder; `recommended_bytes` is the machine's limit for a model."""

    folder: BenchFolder
    plan: BenchPlan
    runtime: Runtime
    progress: BenchProgress
    recommended_bytes: int

    @classmethod
    def of(cls, folder: BenchFolder, plan: ExperimentPlan, progress: BenchProgress) -> Self:
        """Raises InputError if the suite has changed since, ServerError if the machine's limit can't be asked."""
        limit_bytes = recommended_limit().limit_bytes
        return cls(folder, as_benchmark(plan), Runtime.of(plan), progress, limit_bytes)

    async def execute(self) -> Measured:
        """The preflight unless it is there, every cell that isn't done, the logits of what differs."""
        cancel_on(signal.SIGTERM)
        with self.progress.shown():
            if (await self._preflight()).worth is Verdict.NO:
                self.progress.log(
                    "  the benchmark goes on all the same; Ctrl-C stops it, and nothing is lost"
                )
            executor = FolderExecutor(self.folder, self.progress, self.recommended_bytes)
            measured = await executor.run(self.runtime.plan)
            await self._look_at_differences()
        return measured

    async def predict(self) -> Preflight:
        """The preflight alone."""
        cancel_on(signal.SIGTERM)
        with self.progress.shown():
            return await self._preflight()

    async def _preflight(self) -> Preflight:
        preflight = self.folder.read_preflight() or await self._measure()
        self.progress.log(f"preflight: {preflight_reason(preflight)}")
        for note in preflight.notes:
            self.progress.log(f"  {note}")
        return preflight

    async def _measure(self) -> Preflight:
        settings = PreflightSettings(
            timeout_s=self.plan.settings.preflight_timeout,
            allow_vocab_mismatch=self.plan.settings.allow_vocab_mismatch,
            recommended_bytes=self.recommended_bytes,
        )
        return await run_preflight(
            self.folder, self.runtime, settings, lambda step: self.progress.working(f"preflight: {step}")
        )

    async def _look_at_differences(self) -> None:
        divergences = find_divergences(read_measurements(self.folder).observations, self.plan.compared)
        self.folder.write_divergences(divergences)
        if not divergences:
            return
        self.progress.log(f"{count_text(len(divergences), 'answer')} differ from the sequential baseline's")
        spans = [span for run in self.folder.finished_runs() for span in run.load_spans().spans]
        timeout_s, files = self.plan.settings.preflight_timeout, self.folder.path / "logit-gaps"
        try:
            looked = await look_at_gaps(
                self.plan, spans, divergences, files, timeout_s, self.progress.working
            )
        except ServerError as error:
            # The report stands without them: it then says that they were not looked at.
            self.progress.log(f"  the logits there could not be looked at: {error.message}")
        else:
            self.folder.write_divergences(looked)
