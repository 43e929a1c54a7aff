"""How DuckDB is asked: with a line that tells how far it is, and ended by Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from punie.trace.waiting import shown

if TYPE_CHECKING:
    import duckdb

_LOOK_AFTER_S: Final = 0.1
_NO_BAR: Final = "SET enable_progress_bar_print = false; SET enable_progress_bar = true"


def silent(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """`connection`, kept from drawing a bar on standard output after two seconds; it still counts its progress."""
    return connection.execute(_NO_BAR)


@dataclass(frozen=True, slots=True)
class Asking:
    """A connection, and since when it is asked: two seconds of all questions together are long."""

    connection: duckdb.DuckDBPyConnection
    begun_s: float = field(default_factory=time.monotonic)

    def ask(self, sql: str, parameters: Sequence[object] = (), *, doing: str) -> duckdb.DuckDBPyConnection:
        """The connection with the result of `sql`; on a terminal it says how far `doing` is once that takes long.

        Raises KeyboardInterrupt at once: DuckDB on its own looks for Ctrl-C seconds later, and raises RuntimeError.
        """
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(self.connection.execute, sql, parameters)
            try:
                for _ in shown(_looks(asked), lambda _: self._how_far(doing), begun_s=self.begun_s):
                    pass
            finally:
                while not asked.done():  # what hasn't begun yet doesn't hear of it
                    self.connection.interrupt()
                    wait([asked], _LOOK_AFTER_S)
            return asked.result()

    def _how_far(self, doing: str) -> str:
        percent = self.connection.query_progress()
        return doing if percent < 0 else f"{doing}: {percent:.0f} %"  # below 0: DuckDB doesn't know yet


def _looks(asked: Future[duckdb.DuckDBPyConnection]) -> Iterator[None]:
    while wait([asked], _LOOK_AFTER_S).not_done:
        yield
