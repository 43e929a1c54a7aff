"""The suite's conversations as the sequential baseline holds them, once: every prompt, tool results included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from punie.trace.analysis.speculative.model import SEQUENTIAL
from punie.trace.bench.cell import CellRun
from punie.trace.bench.logit_gaps import turns_of
from punie.trace.bench.plan import Cell
from punie.trace.bench.runtime import Runtime
from punie.trace.errors import ServerError
from punie.trace.store.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from punie.trace.analysis.records import PlannedQuery
    from punie.trace.workload.scoring.score import Score


@dataclass(frozen=True, slots=True)
class _StepListener:
    """Passes on which question is asked."""

    on_step: Callable[[str], None]

    def warming_up(self, server_start: int) -> None:
        self.on_step(f"warm-up of start {server_start}")

    def asking(self, planned: PlannedQuery) -> None:
        self.on_step(f"asking {planned.query_id} without a draft")

    def answered(self, planned: PlannedQuery, result: Score, error: str | None) -> None:
        """A wrong answer is a text as well; the benchmark scores."""

    def cell_begins(self, cell: Cell) -> None:
        """Said by the caller."""

    def cell_done(self, cell: Cell, took_ns: int | None) -> None:
        """Said by the caller."""

    def say(self, line: str) -> None:
        self.on_step(line)


async def hold_conversations(
    runtime: Runtime, folder: RunFolder, on_step: Callable[[str], None]
) -> list[list[int]]:
    """Token ids of every turn's prompt, query by query. Raises ServerError."""
    arm = runtime.plan.arm(SEQUENTIAL)
    once = replace(runtime, plan=replace(runtime.plan, repeats=1))
    await CellRun(once, Cell(0, 0, "preflight", (arm,)), folder, _StepListener(on_step), None).execute()
    turns = turns_of(folder.load_spans().spans)
    prompts = [list(turn.prompt) for asked in turns.values() for turn in asked if len(turn.prompt) > 1]
    if not prompts:
        raise ServerError("the preflight saw no prompt of the server's", remedy=f"see {folder.log_path}")
    return prompts
