"""Live progress of a benchmark on standard error: which cell, which query, how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from punie.trace.console.progress import Progress
from punie.trace.units import NS_PER_S, time_left_text

if TYPE_CHECKING:
    from rich.console import Console

    from punie.trace.analysis.records import PlannedQuery
    from punie.trace.bench.plan import Cell
    from punie.trace.workload.scoring.score import Score

_WIDTH: Final = 76


class TimeLeft:
    """How long the cells that are left will take, from those that are done; a group not seen yet takes the mean."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._left = {cell.name: cell.group for cell in cells}
        self._took: dict[str, list[int]] = {}

    def done(self, cell: Cell, took_ns: int | None) -> None:
        """`cell` took that long; None: it was done before."""
        self._left.pop(cell.name, None)
        if took_ns is not None:
            self._took.setdefault(cell.group, []).append(took_ns)

    def text(self, current_ns: int = 0) -> str:
        """Such as `3 min left`; empty before the first cell is done. `current_ns`: the present cell's time so far."""
        every = [ns for taken in self._took.values() for ns in taken]
        if not every:
            return ""
        means = {group: sum(taken) / len(taken) for group, taken in self._took.items()}
        overall = sum(every) / len(every)
        total = sum(means.get(group, overall) for group in self._left.values()) - current_ns
        return f"{time_left_text(max(0.0, total))} left"


class BenchProgress(Progress):
    """A line for each cell."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(console)
        self._cells = 0
        self._done = 0
        self._cell: Cell | None = None
        self._began_ns = 0
        self._left = TimeLeft(())
        self._failures: list[str] = []

    def plan(self, cells: Sequence[Cell]) -> None:
        """What is to be done."""
        self._cells, self._done = len(cells), 0
        self._left = TimeLeft(cells)

    def cell_begins(self, cell: Cell) -> None:
        """A server is being started."""
        self._cell, self._began_ns, self._failures = cell, time.monotonic_ns(), []
        self._in_cell("server start")

    def cell_done(self, cell: Cell, took_ns: int | None) -> None:
        """A cell is written down; `took_ns` is None if it was before we began."""
        self._done += 1
        self._left.done(cell, took_ns)
        if took_ns is None:
            return
        wrong = f"; not ok: {', '.join(self._failures)}" if self._failures else ""
        self.log(
            f"  [{self._done}/{self._cells}] block {cell.block + 1}, {cell.group}: "
            f"{took_ns / NS_PER_S:.1f} s{wrong}  {self._left.text()}"
        )

    def warming_up(self, server_start: int) -> None:
        """The warm-up questions are asked."""
        self._in_cell(f"warm-up of start {server_start}")

    def query_begins(self, planned: PlannedQuery) -> None:
        """A query is on its way."""
        self._in_cell(planned.query_id)

    def answered(self, planned: PlannedQuery, result: Score, error: str | None) -> None:
        """A query came back."""
        if error or result.ok is False:
            self._failures.append(planned.query_id)

    def _in_cell(self, what: str) -> None:
        if self._cell is not None:
            left = self._left.text(time.monotonic_ns() - self._began_ns)
            parts = (f"{self._done + 1}/{self._cells}", self._cell.group, what, left)
            self.working(" · ".join(part for part in parts if part)[:_WIDTH])
