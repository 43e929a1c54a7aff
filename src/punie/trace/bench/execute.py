"""All cells, one after the other: what is done stays done, what was begun is begun anew.

A server that fails is started once more; if it fails again the cell is written down as failed and the others go on,
so that the benchmark comes to its end. A failed cell is tried again when the benchmark is resumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from punie.trace.bench.cell import CellRun
from punie.trace.bench.documents import CellRecord, CellStatus
from punie.trace.bench.folder import BenchFolder
from punie.trace.bench.listener import Listener
from punie.trace.bench.plan import Cell, plan_cells
from punie.trace.bench.runtime import Runtime
from punie.trace.errors import InputError, ServerError

ATTEMPTS: Final = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of all cells: those that failed twice, each with what was wrong."""

    failed: tuple[tuple[Cell, str], ...]


async def execute_cells(
    folder: BenchFolder, runtime: Runtime, progress: Listener, recommended_bytes: int | None
) -> Outcome:
    """Run every cell that isn't done. Raises what isn't a server's failure, KeyboardInterrupt among it."""
    failed: list[tuple[Cell, str]] = []
    for cell in plan_cells(runtime.plan):
        record = _record(folder, cell, progress)
        if record is not None and record.status is CellStatus.DONE:
            progress.cell_done(cell, None)
            continue
        error = await _attempt(folder, runtime, cell, progress, recommended_bytes)
        if error is not None:
            failed.append((cell, error))
    return Outcome(tuple(failed))


def _record(folder: BenchFolder, cell: Cell, progress: Listener) -> CellRecord | None:
    """What `cell.json` says; None if the cell isn't done, or if that can't be read: it is then done again."""
    try:
        return folder.record(cell)
    except InputError as error:
        progress.say(f"  {error.message}: done again; what was there is moved to aborted/")
        return None


async def _attempt(
    folder: BenchFolder, runtime: Runtime, cell: Cell, progress: Listener, recommended_bytes: int | None
) -> str | None:
    """None if it is done, else what was wrong the last time."""
    problem = ""
    for attempt in range(ATTEMPTS):
        folder.set_aside(cell)
        progress.cell_begins(cell)
        run = CellRun(runtime, cell, folder.cell(cell), progress, recommended_bytes)
        try:
            record = await run.execute()
        except ServerError as error:
            problem = error.message
            again = "again" if attempt + 1 < ATTEMPTS else "given up"
            progress.say(f"  {cell.name}: {problem} ({again}; log: {run.folder.log_path})")
        else:
            folder.finish(cell, record)
            progress.cell_done(cell, record.took_ns)
            return None
    folder.finish(cell, CellRecord(CellStatus.FAILED, cell.name, cell.block, error=problem))
    return problem
