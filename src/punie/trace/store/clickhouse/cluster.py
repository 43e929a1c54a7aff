"""A table over several servers: where its rows are, and whether each server has whole traces."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from punie.trace.store.clickhouse.source import quoted

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from punie.trace.store.clickhouse.query import ClickHouseQuery
    from punie.trace.store.clickhouse.tables import SpanTable

_TEXT: Final = r"'?((?:[^'\\,]|\\.)*)'?"
_ENGINE: Final = re.compile(
    rf"Distributed\({_TEXT}, {_TEXT}, {_TEXT}(?:, (?P<key>.*?))?(?:, '[^']*')?\)(?: SETTINGS .*)?"
)


@dataclass(frozen=True, slots=True)
class Distributed:
    """What stands behind a `Distributed` table; `database` is "" if each server has its own.

    `key` is the sharding key if it is made of the trace's id alone, else "": then a trace may lie anywhere.
    """

    cluster: str
    database: str
    table: str
    key: str

    @property
    def local(self) -> str:
        """The table on each server, as SQL."""
        return f"{quoted(self.database)}.{quoted(self.table)}" if self.database else quoted(self.table)

    def on_each(self, sql: str) -> str:
        """A relation with the rows that `sql` gives on every server."""
        return f"cluster('{self.cluster}', view({sql}))"


def find_distributed(
    client: Client, query: ClickHouseQuery, table: SpanTable, name: str
) -> Distributed | None:
    """What stands behind the table `name`; None if it has its rows itself."""
    ((engine, full),) = client.query(
        "SELECT engine, engine_full FROM system.tables WHERE database = {database:String} AND name = {name:String}",
        parameters={"database": query.database, "name": name},
    ).result_rows
    return parse_engine(str(full), table.trace_id) if engine == "Distributed" else None


def parse_engine(full: str, trace_id: str) -> Distributed | None:
    """A `Distributed` table from its `engine_full`; None if that is written in a way that isn't known."""
    found = _ENGINE.fullmatch(full)
    if found is None:
        return None
    key = found["key"] or ""
    is_of_trace = re.fullmatch(rf"(?:\w+\()+`?{trace_id}`?\)+", key) and key.count("(") == key.count(")")
    return Distributed(found[1], found[2], found[3], key if is_of_trace else "")


def has_whole_traces(client: Client, behind: Distributed) -> bool:
    """Whether no trace is spread over several servers.

    A row's server follows from its key's remainder. If no remainder occurs on two servers, no trace does. After
    servers were added, or after inserts past the `Distributed` table, that may not hold.
    """
    if not behind.key:
        return False
    weight = client.query(
        "SELECT sum(w) FROM (SELECT shard_num, any(shard_weight) AS w FROM system.clusters "
        "WHERE cluster = {cluster:String} GROUP BY shard_num)",
        parameters={"cluster": behind.cluster},
    ).result_rows[0][0]
    if not weight:
        return False
    found = f"SELECT groupUniqArray({behind.key} % {int(weight)}) AS remainders FROM {behind.local}"  # noqa: S608
    sql = (
        "SELECT sum(length(s.remainders)) = length(groupUniqArrayArray(s.remainders)) "  # noqa: S608
        f"FROM {behind.on_each(found)} AS s"
    )
    return bool(client.query(sql).result_rows[0][0])
