"""The ledger of every trace that a ClickHouse URL asks for, added up there: only sums travel."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from punie.trace.analysis.database_totals import DatabaseTotals, phase_totals
from punie.trace.analysis.ledger import MOST_SPANS, PROVENANCES
from punie.trace.errors import InputError
from punie.trace.model import PHASES
from punie.trace.store.clickhouse.query import NO_LIMIT, ClickHouseQuery, parse_query
from punie.trace.store.clickhouse.source import (
    client_errors,
    connect,
    find_table,
    newest_sql,
    quoted,
    refusal,
)
from punie.trace.store.clickhouse.tables import EXPORTER
from punie.trace.store.clickhouse.texts import report_sql

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_COLUMNS: Final = (
    "TraceId, SpanId, ParentSpanId, SpanKind, ScopeName, Timestamp, Duration, StatusCode, SpanAttributes, "
    "ResourceAttributes"
)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of `texts.report_sql`."""

    state: str
    phase_rank: int
    queries: int
    ns: int
    contested_ns: int
    provenances: int
    named: Sequence[str]
    most_spans: int
    network_known: int


def total(url: str) -> DatabaseTotals:
    """What ClickHouse finds over all traces of the URL (`limit=` takes the newest).

    Raises InputError as reading spans does, for Jaeger's own table, and if there are no spans.
    """
    query = parse_query(url, limit=NO_LIMIT)
    client = connect(query)
    try:
        rows = _ask(client, query, time.time_ns())
    except client_errors() as error:
        raise refusal(query, error) from None
    finally:
        client.close()
    return _total(query, rows)


def _ask(client: Client, query: ClickHouseQuery, now_ns: int) -> list[_Row]:
    table, name = find_table(client, query)
    if table is not EXPORTER:
        raise InputError(
            f"{query.shown}: {name} is Jaeger's own table: only the Collector's can be added up in the database",
            remedy="leave --in-database out, or name a table of the Collector's exporter with table=NAME",
        )
    sql = f"SELECT {_COLUMNS} FROM {quoted(name)}"  # noqa: S608 - quoted
    asked: dict[str, Any] = {}
    if query.service or query.since_ns or query.limit < NO_LIMIT:
        sql += f" WHERE TraceId IN ({newest_sql(query, table, name)})"
        asked = {"service": query.service, "since": now_ns - query.since_ns, "most": query.limit}
    return [_Row(*row) for row in client.query(report_sql(sql), parameters=asked).result_rows]


def _total(query: ClickHouseQuery, rows: Sequence[_Row]) -> DatabaseTotals:
    states = {row.state: row for row in rows if row.state}
    if not states:
        raise InputError(f"{query.shown}: holds no spans")
    if max(row.most_spans for row in rows) > MOST_SPANS:
        raise InputError(f"{query.shown}: a trace has more than {MOST_SPANS} spans: too many for one ledger")
    found = {PHASES[row.phase_rank]: row for row in rows if not row.state}
    counted, trees = states.get("counted"), states.get("tree")
    wall_ns = 0 if counted is None else counted.ns
    network_known = counted is not None and bool(counted.network_known)
    phases, groups = phase_totals(
        {phase: row.ns for phase, row in found.items()},
        {phase: row.contested_ns for phase, row in found.items()},
        {
            phase: [how for rank, how in enumerate(PROVENANCES) if row.provenances >> rank & 1]
            for phase, row in found.items()
        },
        wall_ns=wall_ns,
        network_known=network_known,
    )
    if sum(phase.ns for phase in phases) != wall_ns:
        raise InputError(f"{query.shown}: its traces changed while they were read", remedy="ask again")
    return DatabaseTotals(
        source=query.shown,
        answers=0 if counted is None else counted.queries,
        wall_ns=wall_ns,
        phases=phases,
        groups=groups,
        network_known=network_known,
        failed=_count(states, "failed"),
        warmup=_count(states, "warm-up"),
        needs_tree=_count(states, "tree"),
        named=() if trees is None else tuple(trees.named),
        may_be_cut=sum(row.queries for row in states.values()) >= query.limit,
    )


def _count(states: dict[str, _Row], name: str) -> int:
    row = states.get(name)
    return 0 if row is None else row.queries
