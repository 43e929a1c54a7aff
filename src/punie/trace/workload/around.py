"""What stands around the execution of queries: the server that answers, and who is kept informed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from punie.trace.analysis.records import PlannedQuery
    from punie.trace.workload.scoring.score import Score


class MonitoredServer(Protocol):
    """A server as the runner needs it: it can say that it is dead, and how much memory it took."""

    @property
    def pid(self) -> int | None:
        """Its process on this machine, None if it isn't ours."""

    async def check(self) -> None:
        """Raise `ServerError` if the server can't answer any more."""

    def peak_memory_bytes(self) -> int | None:
        """Peak footprint of this server start so far; None where it can't be known."""


class ProgressListener(Protocol):
    """Hears what is going on, and shows it."""

    def warming_up(self, server_start: int) -> None:
        """The warm-up questions of a server start are asked."""

    def query_begins(self, planned: PlannedQuery) -> None:
        """A query is on its way."""

    def answered(self, planned: PlannedQuery, result: Score, error: str | None) -> None:
        """A query came back, with its score or its error."""
