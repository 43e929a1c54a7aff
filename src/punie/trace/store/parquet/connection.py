"""DuckDB in the process that `apart` gives it: it reports how far it is, and its errors name the input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from punie.trace.errors import InputError
from punie.trace.extras import install_hint
from punie.trace.store.parquet.apart import Send, WorkProgress

if TYPE_CHECKING:
    import duckdb

ANOTHER_PROGRAM: Final = "See whether another program can read it; if not, have it written again."
_LOOK_AFTER_S: Final = 0.1
# no bar of its own on standard output after two seconds; it still counts its progress
_NO_BAR: Final = "SET enable_progress_bar_print = false; SET enable_progress_bar = true"


@dataclass(frozen=True, slots=True)
class ReportingConnection:
    """A connection that reports how far a statement is."""

    connection: duckdb.DuckDBPyConnection
    send: Send

    def execute(
        self, sql: str, parameters: Sequence[object] = (), *, doing: str
    ) -> duckdb.DuckDBPyConnection:
        """The connection with the result of `sql`; meanwhile it says how far `doing` is."""
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(self.connection.execute, sql, parameters)
            while wait([running], _LOOK_AFTER_S).not_done:
                self.send(WorkProgress(self._how_far(doing)))
            return running.result()

    def _how_far(self, doing: str) -> str:
        percent = self.connection.query_progress()
        return doing if percent < 0 else f"{doing}: {percent:.0f} %"  # below 0: DuckDB doesn't know yet


@contextmanager
def connect(named: str, send: Send, **config: str) -> Iterator[ReportingConnection]:
    """An open DuckDB, for what is `named` so. Raises `InputError` where there is none, and in place of its errors."""
    try:
        import duckdb
    except ImportError as error:
        raise InputError(
            f"{named}: is Parquet, and DuckDB, which reads it, isn't installed", remedy=install_hint("duckdb")
        ) from error
    try:
        with duckdb.connect(config=dict(config)) if config else _opened().cursor() as connection:
            yield ReportingConnection(connection.execute(_NO_BAR), send)
    except duckdb.OutOfMemoryException as error:
        memory = config.get("memory_limit", "memory")
        raise InputError(
            f"{named}: {memory} and the disk don't suffice: {_first_line(error)}",
            remedy="Make room on the disk of temporary files (TMPDIR), or name fewer files at a time.",
        ) from error
    except (duckdb.Error, UnicodeDecodeError) as error:  # its errors quote what is no text
        _opened.cache_clear()  # after some it takes no other question
        raise InputError(f"{named}: damaged Parquet: {_first_line(error)}", remedy=ANOTHER_PROGRAM) from error


@cache
def _opened() -> duckdb.DuckDBPyConnection:
    """One for all files: opening takes as long as reading a small one."""
    import duckdb

    return duckdb.connect()


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
