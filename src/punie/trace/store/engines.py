"""Which engine runs the ledger: SQLite, or DuckDB where it is installed and there are many spans."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from punie.trace.errors import UsageError

if TYPE_CHECKING:
    from punie.trace.analysis.ledger.ledger import Engine

AUTO: Final = "auto"
ENGINES: Final = (AUTO, "sqlite", "duckdb")
MANY_SPANS: Final = 50_000  # from here on DuckDB gains more than its import and its start cost


def choose_engine(name: str, spans: int) -> Engine:
    """The engine called `name`; `auto` decides by the number of `spans`.

    Raises UsageError for an unknown name and for DuckDB where it isn't installed.
    """
    if name not in ENGINES:
        raise UsageError(f"--engine {name}: no such engine", remedy=f"choose from {', '.join(ENGINES)}")
    if name == "duckdb" or (name == AUTO and spans >= MANY_SPANS and find_spec("duckdb") is not None):
        from punie.trace.store.duckdb_engine import DuckDbEngine

        return DuckDbEngine()
    from punie.trace.store.sqlite import SqliteEngine

    return SqliteEngine()
