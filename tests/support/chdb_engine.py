"""ClickHouse's engine, in this process, and the ledger as it computes it. Importing it costs 300 MB."""

from __future__ import annotations

import atexit
import json
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol, cast

from chdb import session as chdb_session

from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.analysis.records import QueryLedger
from punie.trace.model import PHASE_RANK, PHASES, Provenance
from punie.trace.store.clickhouse.texts import ledger_arrays_sql

_CLUSTER = Path(__file__).with_name("chdb_cluster.xml")
_TABLE = """
CREATE OR REPLACE TABLE spans (
  query_key Int64, span_id Int64, parent_id Nullable(Int64), start_ns Int64, end_ns Int64,
  phase_rank Int64, provenance_rank Int64, is_root Int64
) ENGINE = Memory
"""
SpanRow = tuple[int, int, int | None, int, int, int, int, int]


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


def ledgers_of_clickhouse(spans: Sequence[PhasedSpan]) -> tuple[QueryLedger, ...]:
    """As `compute_ledgers`, by the text that ClickHouse runs."""
    names = list(dict.fromkeys(span.query_key for span in spans))
    found = sorted(_run(_rows(spans, names)), key=itemgetter(0))
    ledgers = [_ledger(names[number], list(rows)) for number, rows in groupby(found, key=itemgetter(0))]
    return tuple(sorted(ledgers, key=lambda ledger: (ledger.start_ns, ledger.query_key)))


def _rows(spans: Sequence[PhasedSpan], names: Sequence[str]) -> list[SpanRow]:
    queries = {name: number for number, name in enumerate(names)}
    ids: dict[tuple[str, str], int] = {}
    return [
        (
            queries[span.query_key],
            ids.setdefault((span.trace_id, span.span_id), len(ids)),
            None if span.parent_id is None else ids.setdefault((span.trace_id, span.parent_id), len(ids)),
            span.start_ns,
            span.end_ns,
            PHASE_RANK[span.phase],
            list(Provenance).index(span.provenance),
            int(span.is_root),
        )
        for span in spans
    ]


def _run(rows: Sequence[SpanRow]) -> list[tuple[int, ...]]:
    database = session()
    database.query(_TABLE)
    values = ["(" + ", ".join("NULL" if value is None else str(value) for value in row) + ")" for row in rows]
    if values:
        database.query(f"INSERT INTO spans VALUES {', '.join(values)}")  # noqa: S608 - whole numbers
    settings = "output_format_json_quote_64bit_integers = 0"
    found = str(database.query(f"{ledger_arrays_sql()}\nSETTINGS {settings}", "JSONCompactEachRow"))
    return [tuple(json.loads(line)) for line in found.splitlines()]


def _ledger(query_key: str, rows: Sequence[tuple[int, ...]]) -> QueryLedger:
    _, start_ns, wall_ns, *_ = rows[0]
    of = {PHASES[rank]: (ns, contested, known) for _, _, _, rank, ns, contested, known, _ in rows if ns}
    none = (0, 0, 0)
    return QueryLedger(
        query_key=query_key,
        start_ns=start_ns,
        wall_ns=wall_ns,
        phases_ns={phase: of.get(phase, none)[0] for phase in PHASES},
        contested_ns={phase: of.get(phase, none)[1] for phase in PHASES},
        provenance={
            phase: tuple(how for bit, how in enumerate(Provenance) if of.get(phase, none)[2] >> bit & 1)
            for phase in PHASES
        },
    )
