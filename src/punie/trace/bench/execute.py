"""All cells, one after the other: what is done stays done, what was begun is begun anew.

A server that fails is started once more; if it fails again the cell is written down as failed and the others go on,
so that the benchmark comes to its end. A failed cell is tried again when the benchmark is resumed.

A block during which the machine slept, swapped or was throttled is run again, once: its arms were compared on another
machine. Where that doesn't help in two blocks no further one is: the machine is like that, and the report says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from punie.trace.bench.cell import CellRun
from punie.trace.bench.documents import CellRecord, CellStatus
from punie.trace.bench.folder import BenchFolder
from punie.trace.bench.listener import Listener
from punie.trace.bench.plan import Cell, plan_cells
from punie.trace.bench.runtime import Runtime
from punie.trace.errors import InputError, ServerError

ATTEMPTS: Final = 2
_MOST_IN_VAIN: Final = 2


@dataclass(frozen=True, slots=True)
class Execution:
    """The cells of a plan, run into a folder. `is_over` is asked after each block, with the number of blocks so far."""

    folder: BenchFolder
    runtime: Runtime
    progress: Listener
    recommended_bytes: int | None
    is_over: Callable[[int], bool] = lambda _: False

    async def run(self) -> None:
        """Run every cell that isn't done. Raises what isn't a server's failure, KeyboardInterrupt among it."""
        for block, cells in groupby(plan_cells(self.runtime.plan), key=lambda cell: cell.block):
            await self._block(block, tuple(cells))
            if self.is_over(block + 1):
                break

    async def _block(self, block: int, cells: tuple[Cell, ...]) -> None:
        await self._cells(cells)
        records = [record for cell in cells if (record := self.folder.record(cell))]
        reasons = sorted({reason for record in records for reason in record.disturbed})
        if not reasons:
            return
        what = f"  block {block + 1}: {'; '.join(reasons)}"
        again = self.folder.disturbed_blocks()
        if block in again or (len(again) >= _MOST_IN_VAIN and self._in_vain(again)):
            self.progress.log(f"{what}: kept, since running blocks again didn't help")
            return
        self.progress.log(f"{what}: run again")
        for cell in cells:
            self.folder.set_aside(cell)
        await self._cells(cells)

    def _in_vain(self, again: frozenset[int]) -> bool:
        """Whether the blocks that were run again were disturbed again."""
        cells = [cell for cell in plan_cells(self.runtime.plan) if cell.block in again]
        records = [record for cell in cells if (record := self.folder.record(cell))]
        return {record.block for record in records if record.disturbed} >= again

    async def _cells(self, cells: tuple[Cell, ...]) -> None:
        for cell in cells:
            record = self._record(cell)
            if record is not None and record.status is CellStatus.DONE:
                self.progress.cell_done(cell, None)
            else:
                await self._attempt(cell)

    def _record(self, cell: Cell) -> CellRecord | None:
        """What `cell.json` says; None if the cell isn't done, or if that can't be read: it is then done again."""
        try:
            return self.folder.record(cell)
        except InputError as error:
            self.progress.log(f"  {error.message}: done again; what was there is moved to aborted/")
            return None

    async def _attempt(self, cell: Cell) -> None:
        """Run it; what was wrong the last time is written down."""
        problem = ""
        for attempt in range(ATTEMPTS):
            self.folder.set_aside(cell)
            self.progress.cell_begins(cell)
            run = CellRun(self.runtime, cell, self.folder.cell(cell), self.progress, self.recommended_bytes)
            try:
                record = await run.execute()
            except ServerError as error:
                problem = error.message
                again = "again" if attempt + 1 < ATTEMPTS else "given up"
                self.progress.log(f"  {cell.name}: {problem} ({again}; log: {run.folder.log_path})")
            else:
                self.folder.finish(cell, record)
                self.progress.cell_done(cell, record.took_ns)
                return
        arms = tuple(arm.name for arm in cell.arms)
        self.folder.finish(
            cell, CellRecord(CellStatus.FAILED, cell.name, cell.block, arms=arms, error=problem)
        )
