"""The spans of a ClickHouse database, read with its own client over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from punie.trace.errors import InputError
from punie.trace.extras import install_hint
from punie.trace.model import SpanSet
from punie.trace.store.attribute_values import LEFT_OUT, with_typed_values
from punie.trace.store.clickhouse.query import (
    NO_LIMIT,
    PASSWORD_VARIABLE,
    SCHEME,
    ClickHouseQuery,
    parse_query,
)
from punie.trace.store.clickhouse.tables import TABLES, Row, SpanTable
from punie.trace.store.files.place import Place
from punie.trace.store.gathering import SpanGatherer
from punie.trace.store.source import Source
from punie.trace.urls import without_passwords, without_secrets

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_TIMEOUT_S: Final = 60
# A server that is away is an error, never a smaller answer, whatever the user's profile prefers.
WHOLE: Final[Mapping[str, int]] = MappingProxyType({"skip_unavailable_shards": 0})


def recognises(place: Place) -> bool:
    """Whether it is a URL of ours."""
    return place.text.startswith(f"{SCHEME}://")


def read(place: Place) -> SpanSet:
    """The spans of the newest traces that the URL asks for.

    Raises `InputError` that names the URL, never its password, if the client isn't installed, the server can't be
    asked, or the database has no table that we know.
    """
    query = parse_query(place.text)
    client = connect(query)
    try:
        return _read(client, query, time.time_ns())
    except client_errors() as error:
        raise refusal(query, error) from None
    finally:
        client.close()


CLICKHOUSE: Final = Source("ClickHouse (clickhouse://USER@HOST/DB?service=NAME)", recognises, read)


def client_errors() -> tuple[type[Exception], ...]:
    """What the client raises."""
    from clickhouse_connect.driver.exceptions import Error

    return (Error, OSError)


def refusal(query: ClickHouseQuery, error: Exception) -> InputError:
    """What went wrong in one line, without the password if it should stand in it."""
    text = _unreachable(error) or (str(error).splitlines()[0] if str(error) else type(error).__name__)
    text = without_passwords(without_secrets(text, [query.password]))
    return InputError(
        f"{query.shown}: can't ask ClickHouse at {query.host}:{query.port}: {text}",
        remedy="Is it running? Its HTTP port is 8123 (8443 with secure=1); "
        f"a password is read from {PASSWORD_VARIABLE}.",
    )


def _unreachable(error: BaseException) -> str:
    """The system's own word for a server that can't be reached, under all that was wrapped around it; else ""."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        # A MaxRetryError of urllib3 holds its cause as `reason`, and was raised outside of its handler.
        reason = getattr(seen, "reason", None)
        seen = reason if isinstance(reason, BaseException) else seen.__cause__ or seen.__context__
    return ""


def _keep_silent() -> None:
    """The client's warnings are said again by the error that follows; a handler of the user's own still has them."""
    import logging

    its_own = logging.getLogger("clickhouse_connect")
    if not its_own.handlers:
        its_own.addHandler(logging.NullHandler())


def connect(query: ClickHouseQuery) -> Client:
    """A client that has reached the server. Raises InputError."""
    try:
        import clickhouse_connect
    except ImportError as error:
        raise InputError(
            f"{query.shown}: ClickHouse's client isn't installed",
            remedy=install_hint("clickhouse"),
        ) from error
    _keep_silent()
    try:
        return clickhouse_connect.get_client(
            host=query.host,
            port=query.port,
            username=query.user,
            password=query.password,
            database=query.database,
            secure=query.secure,
            connect_timeout=_TIMEOUT_S,
            autogenerate_session_id=False,
        )
    except client_errors() as error:
        raise refusal(query, error) from None


def _read(client: Client, query: ClickHouseQuery, now_ns: int) -> SpanSet:
    table, name = find_table(client, query)
    rows, cut = _rows(client, query, table, name, now_ns)
    into = SpanGatherer(query.shown)
    for number, row in enumerate(rows, start=1):
        into.take(number, "", partial(table.to_span, row))
    if cut:
        more = f"more than {query.limit} traces match, and only the newest were read: raise limit="
        into.note("cut-by-limit", more)
    return with_typed_values(into.result(), query.shown, (LEFT_OUT,))  # all is text there: no note says so


def find_table(client: Client, query: ClickHouseQuery) -> tuple[SpanTable, str]:
    """The table that we know by its columns, and its name there. Raises InputError."""
    found = client.query(
        "SELECT table, groupArray(name) FROM system.columns WHERE database = {database:String} GROUP BY table",
        parameters={"database": query.database},
    ).result_rows
    there = {str(name): set(columns) for name, columns in found}
    names = [query.table] if query.table else [table.name for table in TABLES]
    for name in names:
        for table in TABLES:
            if {table.trace_id, table.service, table.start} <= there.get(name, set()):
                return table, name
    raise InputError(
        f"{query.shown}: the database {query.database!r} has no table of spans named {' or '.join(names)}",
        remedy=f"It has: {', '.join(sorted(there)) or 'none'}. Name another database, or a table with table=NAME.",
    )


def matching_sql(query: ClickHouseQuery, table: SpanTable, relation: str) -> str:
    """The SQL for the ids of the traces that match, the newest if there is a limit.

    Names are quoted or ours, the user's words parameters; `relation` is SQL.
    """
    where = ["1"]
    if query.service:
        where.append(f"{table.service} = {{service:String}}")
    if query.since_ns:
        where.append(f"{table.start} >= fromUnixTimestamp64Nano({{since:Int64}})")
    newest = f" ORDER BY max({table.start}) DESC, id LIMIT {{most:UInt64}}" if query.limit < NO_LIMIT else ""
    return f"SELECT {table.trace_id} AS id FROM {relation} WHERE {' AND '.join(where)} GROUP BY id{newest}"  # noqa: S608


def _rows(
    client: Client, query: ClickHouseQuery, table: SpanTable, name: str, now_ns: int
) -> tuple[Iterator[Row], bool]:
    """The rows of the traces that match, and whether more match than the limit."""
    asked: dict[str, Any] = {"service": query.service, "since": now_ns - query.since_ns}
    newest = matching_sql(query, table, quoted(name))
    settings = settings_sql(client.server_settings, WHOLE)
    count = client.query(
        f"SELECT count() FROM ({newest}){settings}",  # noqa: S608
        parameters={**asked, "most": query.limit + 1},
    ).result_rows[0][0]
    found = client.query(
        f"SELECT {', '.join(table.columns.values())} FROM {quoted(name)} "  # noqa: S608
        f"WHERE {table.trace_id} GLOBAL IN ({newest}) ORDER BY {table.start}, {table.columns['span_id']}{settings}",
        parameters={**asked, "most": query.limit},
    )
    rows = (dict(zip(table.columns, row, strict=True)) for row in found.result_rows)
    return rows, int(count) > query.limit


def settings_sql(known: Mapping[str, Any], wanted: Mapping[str, int]) -> str:
    """`wanted` as SQL, less what this user may not change; `known` are the client's `server_settings`."""
    free = [
        f"{name} = {value}" for name, value in wanted.items() if name in known and not known[name].readonly
    ]
    return f"\nSETTINGS {', '.join(free)}" if free else ""


def quoted(name: str) -> str:
    """A name of a table as SQL."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
