"""Live progress on standard error: what is happening now, and a line for what is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from punie.trace.console.standard_streams import reopen_standard_error
from punie.trace.errors import OutputError, PipeClosedError
from punie.trace.report.inert import inert

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

    def say(self, line: str) -> None:
        """A line that stays."""
        reopen_standard_error()
        try:
            self._console.print(Text(inert(line)), soft_wrap=True)
        except OSError as error:
            raise OutputError(f"standard error: can't be written: {error.strerror or error}") from error

    def say_all(self, lines: Iterable[str]) -> None:
        """Lines that stay."""
        for line in lines:
            self.say(line)

    def working(self, text: str) -> None:
        """What is being done now."""
        if self._status is not None and self._console.is_terminal:
            self._status.update(Text(inert(text)))


class RunProgress(Progress):
    """Progress of `total` queries. Times are left to the report."""

    def __init__(self, total: int, console: Console | None = None) -> None:
        super().__init__(console)
        self._total = total
        self._done = 0

    def starting(self, server_start: int, starts: int, what: str) -> None:
        """A server is being started."""
        self.working(f"server start {server_start + 1} of {starts}: {what}")

    def warming_up(self, server_start: int) -> None:
        """The warm-up questions are asked."""
        self.working(f"server start {server_start + 1}: warm-up")

    def asking(self, planned: PlannedQuery) -> None:
        """A query is on its way."""
        self.working(f"query {self._done + 1} of {self._total}: {planned.query_id}")

    def answered(self, planned: PlannedQuery, result: Score, error: str | None) -> None:
        """A query came back."""
        self._done += 1
        scored = "not scored" if result.ok is None else "ok" if result.ok else ", ".join(result.failures)
        outcome = "error" if error else scored
        self.say(f"  [{self._done}/{self._total}] {planned.query_id}: {outcome}")
