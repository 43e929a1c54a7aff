"""Live progress on standard error: what is happening now, and a line for what is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from punie.trace.console.standard_streams import harmless, reopen_standard_error
from punie.trace.errors import OutputError, PipeClosedError
from punie.trace.units import duration_text, rough_duration_text

if TYPE_CHECKING:
    from rich.status import Status

    from punie.trace.analysis.records import PlannedQuery
    from punie.trace.workload.scoring.score import Score


class ProgressConsole(Console):
    """A console that is left as every other output is: rich itself would end with 1, which is a gate's `no`."""

    def on_broken_pipe(self) -> None:
        """Raises PipeClosedError: nobody reads what is written here any more."""
        self.quiet = True
        raise PipeClosedError("standard error: nobody reads it any more")


class Progress:
    """A spinner on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or ProgressConsole(stderr=True, highlight=False)
        self._status: Status | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The spinner lives as long as this block."""
        with self._console.status("preparing") as status:
            self._status = status
            try:
                yield
            finally:
                self._status = None

    def log(self, line: str) -> None:
        """A line that stays."""
        reopen_standard_error()
        try:
            self._console.print(Text(harmless(line)), soft_wrap=True)
        except OSError as error:
            raise OutputError(
                f"standard error: can't be written: {error.strerror or error}",
                remedy="Make room where it goes, or send it elsewhere (2>FILE).",
            ) from error

    def log_all(self, lines: Iterable[str]) -> None:
        """Lines that stay."""
        for line in lines:
            self.log(line)

    def working(self, text: str) -> None:
        """What is being done now."""
        if self._status is not None and self._console.is_terminal:
            self._status.update(Text(harmless(text)))


class RunProgress(Progress):
    """Progress of `total` queries: each with how long it took and, once some are back, how long the rest may take.

    These times are for the console; the report's are from the spans. `clock` gives nanoseconds.
    """

    def __init__(
        self, total: int, console: Console | None = None, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        super().__init__(console)
        self._total = total
        self._done = 0
        self._clock = clock
        self._began_ns = self._query_began_ns = clock()

    def starting(self, server_start: int, starts: int, what: str) -> None:
        """A server is being started."""
        self.working(f"server start {server_start + 1} of {starts}: {what}")

    def warming_up(self, server_start: int) -> None:
        """The warm-up questions are asked."""
        self.working(f"server start {server_start + 1}: warm-up")

    def query_begins(self, planned: PlannedQuery) -> None:
        """A query is on its way."""
        self._query_began_ns = self._clock()
        if not self._done:
            self._began_ns = self._query_began_ns
        self.working(f"query {self._done + 1} of {self._total}: {planned.query_id}")

    def answered(self, planned: PlannedQuery, result: Score, error: str | None) -> None:
        """A query came back."""
        self._done += 1
        scored = "not scored" if result.ok is None else "ok" if result.ok else ", ".join(result.failures)
        outcome = "error" if error else scored
        took = duration_text(self._clock() - self._query_began_ns)
        self.log(f"  [{self._done}/{self._total}] {planned.query_id}: {outcome}, {took}{self._left()}")

    def _left(self) -> str:
        """Server starts between queries are in it, as they will be in the rest."""
        rest = self._total - self._done
        if rest <= 0:
            return ""
        each_ns = (self._clock() - self._began_ns) / self._done
        return f"; about {rough_duration_text(each_ns * rest)} left"
