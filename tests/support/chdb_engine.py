"""ClickHouse's engine, in this process, as an engine of the ledger. Importing it costs 300 MB: only where needed."""

from __future__ import annotations

import atexit
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

from chdb import session as chdb_session

from punie.trace.analysis.ledger.ledger import LedgerRow, SpanRow
from punie.trace.store.clickhouse.texts import ledger_arrays_sql

_CLUSTER = Path(__file__).with_name("chdb_cluster.xml")
_TABLE = """
CREATE OR REPLACE TABLE spans (
  query_key Int64, span_id Int64, parent_id Nullable(Int64), start_ns Int64, end_ns Int64,
  phase_rank Int64, provenance_rank Int64, is_root Int64
) ENGINE = Memory
"""


class Session(Protocol):
    """What we use of chdb's, which has no types."""

    def query(self, sql: str, fmt: str = "CSV", *, params: dict[str, str] | None = None) -> Any:  # noqa: ANN401
        """The answer to `sql`."""
        ...


@cache
def session() -> Session:
    """The one session of this process: chdb has room for one. Left open, it complains when the process ends."""
    opened = cast("Any", chdb_session).Session(f"file::memory:?config-file={_CLUSTER}")
    atexit.register(opened.close)
    return cast("Session", opened)


class ChdbArrays:
    """An `analysis.ledger.Engine` that runs the ledger's form for a cluster, whatever text it is given."""

    def run(self, _: str, rows: Iterable[SpanRow]) -> Sequence[LedgerRow]:
        """The result of the array form over a table `spans` that holds `rows`."""
        return ChdbEngine().run(ledger_arrays_sql(), rows)


class ChdbEngine:
    """An `analysis.ledger.Engine`."""

    def run(self, sql: str, rows: Iterable[SpanRow]) -> Sequence[LedgerRow]:
        """The result of `sql` over a table `spans` that holds `rows`."""
        database = session()
        database.query(_TABLE)
        values = [
            "(" + ", ".join("NULL" if value is None else str(value) for value in row) + ")" for row in rows
        ]
        if values:
            database.query(f"INSERT INTO spans VALUES {', '.join(values)}")  # noqa: S608 - whole numbers
        settings = "output_format_json_quote_64bit_integers = 0"
        found = str(database.query(f"{sql}\nSETTINGS {settings}", "JSONCompactEachRow"))
        return [cast("LedgerRow", tuple(json.loads(line))) for line in found.splitlines()]
