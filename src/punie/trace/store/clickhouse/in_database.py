"""The ledger of every trace that a ClickHouse URL asks for, added up there: only sums travel."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from punie.trace.analysis.summary.database_totals import DatabaseTotals, Where
from punie.trace.analysis.summary.parts import GroupBy, Part
from punie.trace.errors import InputError
from punie.trace.model import PHASES
from punie.trace.store.clickhouse.cluster import Distributed, find_distributed, has_whole_traces
from punie.trace.store.clickhouse.query import NO_LIMIT, ClickHouseQuery, parse_query
from punie.trace.store.clickhouse.source import (
    WHOLE,
    client_errors,
    connect,
    find_table,
    matching_sql,
    quoted,
    refusal,
    settings_sql,
)
from punie.trace.store.clickhouse.tables import EXPORTER, SpanTable
from punie.trace.store.clickhouse.texts import MOST_SPANS, report_sql, shard_sql, survey_sql
from punie.trace.store.in_database.sums import StateSums, part_of_sums

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# Past this much the spans that are brought together wait on the server's disk, so that memory doesn't follow the table.
_SPILL_BYTES: Final = 2_000_000_000
SETTINGS: Final[Mapping[str, int]] = {
    "max_bytes_before_external_group_by": _SPILL_BYTES,
    **WHOLE,
}


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of `texts.report_sql`."""

    is_all: int
    part: str
    state: str
    queries: int
    root_ns: int
    walls: Sequence[int]
    phases: Sequence[int]
    contested: Sequence[int]
    known: int
    named: Sequence[str]
    most_spans: int
    network_known: int


@dataclass(frozen=True, slots=True)
class _Answer:
    rows: Sequence[_Row]
    where: Where


def total(url: str, by: GroupBy | None = None) -> DatabaseTotals:
    """What ClickHouse finds over all traces of the URL (`limit=` takes the newest).

    Raises InputError as reading spans does, and if there are no spans.
    """
    query = parse_query(url, limit=NO_LIMIT)
    client = connect(query)
    try:
        answer = _query(client, query, by, time.time_ns())
    except client_errors() as error:
        raise refusal(query, error) from None
    finally:
        client.close()
    return _total(query, answer, by)


def _query(client: Client, query: ClickHouseQuery, by: GroupBy | None, now_ns: int) -> _Answer:
    table, name = find_table(client, query)
    behind = find_distributed(client, query, table, name)
    asked: dict[str, Any] = {}
    if _is_narrowed(query):
        asked = {"service": query.service, "since": now_ns - query.since_ns, "most": query.limit}
    word = "GLOBAL IN" if behind else "IN"
    survey = client.query(survey_sql(_rows(query, table, quoted(name), word=word)), parameters=asked)
    ((attributes, has_links),) = survey.result_rows
    shard = partial(
        shard_sql, attributes=attributes, by=by, has_links=bool(has_links), is_text=table is EXPORTER
    )
    where, shards = _shards(client, query, shard, table, name, behind, has_links=bool(has_links))
    sql = f"{report_sql(shards, by)}{settings_sql(client.server_settings, SETTINGS)}"
    return _Answer([_Row(*row) for row in client.query(sql, parameters=asked).result_rows], where)


def _shards(
    client: Client,
    query: ClickHouseQuery,
    shard: Callable[[str], str],
    table: SpanTable,
    name: str,
    behind: Distributed | None,
    *,
    has_links: bool,
) -> tuple[Where, str]:
    """Where the ledgers are added up, and the relation of the sums that come from there."""
    if behind is None:
        return Where.ONE_SERVER, f"({shard(_rows(query, table, quoted(name)))})"
    # Which traces are the newest no server knows alone, nor what those are that its own are linked with.
    if query.limit >= NO_LIMIT and not has_links and has_whole_traces(client, behind):
        return Where.EACH_SHARD, behind.on_each(shard(_rows(query, table, behind.local)))
    return Where.GATHERED, f"({shard(_rows(query, table, quoted(name), word='GLOBAL IN'))})"


def _rows(query: ClickHouseQuery, table: SpanTable, relation: str, *, word: str = "IN") -> str:
    """The rows of all traces that match, with the exporter's columns; `relation` is SQL."""
    sql = f"SELECT {table.exporter_columns} FROM {relation}"  # noqa: S608 - quoted
    if _is_narrowed(query):
        sql += f" WHERE {table.trace_id} {word} ({matching_sql(query, table, relation)})"
    return sql


def _is_narrowed(query: ClickHouseQuery) -> bool:
    return bool(query.service or query.since_ns or query.limit < NO_LIMIT)


def _total(query: ClickHouseQuery, answer: _Answer, by: GroupBy | None) -> DatabaseTotals:
    everything = [row for row in answer.rows if row.is_all]
    if not everything:
        raise InputError(
            f"{query.shown}: holds no spans", remedy="Check the database, table, service and time in the URL."
        )
    if max(row.most_spans for row in everything) > MOST_SPANS:
        raise InputError(
            f"{query.shown}: a trace has more than {MOST_SPANS} spans: too many for one ledger",
            remedy="Leave --in-database out.",
        )
    parts: dict[str, list[_Row]] = {}
    for row in answer.rows:
        if by is not None and not row.is_all:
            parts.setdefault(row.part, []).append(row)
    total_part = _part(query, "", everything)
    return DatabaseTotals(
        source=query.shown,
        where=answer.where,
        total=total_part,
        named=next((tuple(row.named) for row in everything if row.state == "tree"), ()),
        may_be_cut=sum(row.queries for row in everything) >= query.limit,
        by=by,
        parts=tuple(_part(query, name, parts[name]) for name in sorted(parts)),
    )


def _part(query: ClickHouseQuery, name: str, rows: Sequence[_Row]) -> Part:
    states = {
        row.state: StateSums(
            row.queries,
            row.root_ns,
            row.walls,
            dict(zip(PHASES, row.phases, strict=True)),
            dict(zip(PHASES, row.contested, strict=True)),
            row.known,
            bool(row.network_known),
        )
        for row in rows
    }
    try:
        return part_of_sums(name, states)
    except ValueError:
        raise InputError(
            f"{query.shown}: its traces changed while they were read", remedy="ask again"
        ) from None
