"""What is notified while a benchmark runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from punie.trace.workload.around import ProgressListener

if TYPE_CHECKING:
    from punie.trace.bench.plan import Cell


class Listener(ProgressListener, Protocol):
    """A `ProgressListener` that is also notified of the cells."""

    def cell_begins(self, cell: Cell) -> None:
        """The server of `cell` is about to be started."""

    def cell_done(self, cell: Cell, took_ns: int | None) -> None:
        """`cell` is done, or failed where it took None."""

    def log(self, line: str) -> None:
        """A line that stays."""
