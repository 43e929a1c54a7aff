"""SQLite, from the standard library, as the engine of the ledger: in memory, nothing to install."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing

from punie.trace.analysis.ledger.ledger import LedgerRow, SpanRow

_TABLE = """
CREATE TABLE spans (
  query_key INTEGER NOT NULL, span_id INTEGER NOT NULL, parent_id INTEGER,
  start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,
  phase_rank INTEGER NOT NULL, provenance_rank INTEGER NOT NULL, is_root INTEGER NOT NULL
)
"""


class SqliteEngine:
    """An `analysis.ledger.Engine`. Each run has a database of its own."""

    def run(self, sql: str, rows: Iterable[SpanRow]) -> Sequence[LedgerRow]:
        """The result of `sql` over a table `spans` that holds `rows`."""
        with closing(sqlite3.connect(":memory:")) as database:
            database.execute(_TABLE)
            database.executemany("INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            return database.execute(sql).fetchall()
