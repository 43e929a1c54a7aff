"""What to ask ClickHouse for: `clickhouse://USER@HOST:PORT/DB?service=…&since=…&limit=…&table=…&secure=1`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from punie.trace.store.source_url import parse_source_url

SCHEME: Final = "clickhouse"
PASSWORD_VARIABLE: Final = "CLICKHOUSE_PASSWORD"  # noqa: S105 - the name of a variable
_PORTS: Final = MappingProxyType({False: 8123, True: 8443})
DEFAULT_LIMIT: Final = 1_000
NO_LIMIT: Final = 999_999_999  # more than any URL may ask for
_KNOWN: Final = ("service", "since", "limit", "table", "secure")
_EXAMPLE: Final = "clickhouse://default@localhost:8123/otel?service=agent&since=2h&limit=100"


@dataclass(frozen=True, slots=True)
class ClickHouseQuery:
    """The newest `limit` traces that have a span of `service` ("": any), begun in the last `since_ns` (0: ever).

    `table` is "" where the database is to be asked for one that we know. `shown` is the URL without its password.
    """

    shown: str
    host: str
    port: int
    secure: bool
    user: str
    password: str = field(repr=False)
    database: str
    service: str
    since_ns: int
    limit: int
    table: str


def parse_query(url: str, *, limit: int = DEFAULT_LIMIT) -> ClickHouseQuery:
    """The query that `url` describes, with `limit` where it gives none.

    Raises `InputError` that names the URL and the part that is wrong.
    """
    found = parse_source_url(url, _KNOWN, _EXAMPLE)
    given = found.parameters
    secure = given.get("secure", "0") == "1"
    password = os.environ.get(PASSWORD_VARIABLE, "") if found.password is None else found.password
    return ClickHouseQuery(
        shown=found.shown,
        host=found.host,
        port=found.port or _PORTS[secure],
        secure=secure,
        user=found.user or "default",
        password=password,
        database=unquote(found.path.strip("/")) or "default",
        service=given.get("service", ""),
        since_ns=found.duration_ns("since", "") if "since" in given else 0,
        limit=found.count("limit", limit),
        table=given.get("table", ""),
    )
