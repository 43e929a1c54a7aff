"""The preflight, from the vocabularies and one pass of the suite to `preflight.json`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from punie.trace.analysis.speculative.model import SEQUENTIAL, BenchPlan, Preflight
from punie.trace.analysis.speculative.preset import as_benchmark
from punie.trace.bench.cell import CellRun
from punie.trace.bench.child import ChildJob
from punie.trace.bench.folder import BenchFolder
from punie.trace.bench.logit_gaps import turns_of
from punie.trace.bench.plan import Cell
from punie.trace.bench.preflight.judge import Bounds, judge
from punie.trace.bench.preflight.measurements import MeasuringJob, PreflightMeasurements
from punie.trace.bench.runtime import Runtime
from punie.trace.errors import ServerError
from punie.trace.flags import PREFLIGHT_TIMEOUT
from punie.trace.serving.vocabulary import compare_vocabularies
from punie.trace.store.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from punie.trace.analysis.records import PlannedQuery
    from punie.trace.workload.scoring.score import Score

MODULE: Final = "punie.trace.bench.preflight"
PART_S: Final = 12.0
"""How long each part of the measuring may go on: answers, costs, each draft; loading comes on top."""


@dataclass(frozen=True, slots=True)
class PreflightSettings:
    """`timeout_s` bounds each measuring process, loading and downloads included."""

    timeout_s: float
    allow_vocab_mismatch: bool
    recommended_bytes: int | None


async def run_preflight(
    folder: BenchFolder, runtime: Runtime, settings: PreflightSettings, on_step: Callable[[str], None]
) -> Preflight:
    """Measure, predict, write `preflight.json`. Raises VocabularyError, WorkloadError, ServerError."""
    plan = as_benchmark(runtime.plan)
    on_step("comparing vocabularies")
    notes = [
        compare_vocabularies(plan.model, draft, allow=settings.allow_vocab_mismatch) for draft in plan.drafts
    ]
    on_step("starting the server without a draft")
    prompts = await hold_conversations(runtime, folder.new_conversations(), on_step)
    child = ChildJob(MODULE, folder.path / "preflight-measure", settings.timeout_s, PREFLIGHT_TIMEOUT)
    measured = await child.run(_job(plan, prompts), PreflightMeasurements, on_step)
    bounds = Bounds(plan.max_memory_bytes, settings.recommended_bytes)
    preflight = judge(measured, plan, bounds, [note for note in notes if note])
    folder.write_preflight(preflight)
    return preflight


def _job(plan: BenchPlan, prompts: tuple[tuple[int, ...], ...]) -> MeasuringJob:
    return MeasuringJob(
        plan.model,
        plan.settings.adapter,
        drafts=plan.drafts,
        ks=tuple(sorted({arm.k for arm in plan.arms if arm.k is not None})),
        prompts=prompts,
        seconds=PART_S,
    )


@dataclass(frozen=True, slots=True)
class _StepListener:
    """Passes on which question is asked."""

    on_step: Callable[[str], None]

    def warming_up(self, server_start: int) -> None:
        self.on_step(f"warm-up of start {server_start}")

    def query_begins(self, planned: PlannedQuery) -> None:
        self.on_step(f"asking {planned.query_id} without a draft")

    def answered(self, planned: PlannedQuery, result: Score, error: str | None) -> None:
        """A wrong answer is a text as well; the benchmark scores."""

    def cell_begins(self, cell: Cell) -> None:
        """Reported by the caller."""

    def cell_done(self, cell: Cell, took_ns: int | None) -> None:
        """Reported by the caller."""

    def log(self, line: str) -> None:
        self.on_step(line)


async def hold_conversations(
    runtime: Runtime, folder: RunFolder, on_step: Callable[[str], None]
) -> tuple[tuple[int, ...], ...]:
    """Token ids of every turn's prompt, query by query. Raises ServerError."""
    arm = runtime.plan.arm(SEQUENTIAL)
    once = replace(runtime, plan=replace(runtime.plan, repeats=1))
    await CellRun(once, Cell(0, 0, "preflight", (arm,)), folder, _StepListener(on_step), None).execute()
    turns = turns_of(folder.load_spans().spans)
    prompts = tuple(turn.prompt for of_prompt in turns.values() for turn in of_prompt if len(turn.prompt) > 1)
    if not prompts:
        raise ServerError("the preflight saw no prompt of the server's", remedy=f"see {folder.log_path}")
    return prompts
