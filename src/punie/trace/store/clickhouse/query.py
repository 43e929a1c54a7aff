"""What to ask ClickHouse for: `clickhouse://USER@HOST:PORT/DB?service=…&since=…&limit=…&table=…&secure=1`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from punie.trace.errors import InputError
from punie.trace.store.files.place import without_password

SCHEME: Final = "clickhouse"
PASSWORD_VARIABLE: Final = "CLICKHOUSE_PASSWORD"  # noqa: S105 - the name of a variable
_PORTS: Final = MappingProxyType({False: 8123, True: 8443})
DEFAULT_LIMIT: Final = 1_000
NO_LIMIT: Final = 999_999_999  # more than any URL may ask for
_KNOWN: Final = ("service", "since", "limit", "table", "secure")
_UNITS_NS: Final[Mapping[str, int]] = MappingProxyType(
    {
        unit: seconds * 10**9
        for unit, seconds in (("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("w", 604_800))
    }
)
_REMEDY: Final = "for example clickhouse://default@localhost:8123/otel?service=agent&since=2h&limit=100"


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
    shown = without_password(url)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"{shown}: names no host and port", remedy=_REMEDY) from error
    if not host:
        raise InputError(f"{shown}: names no host", remedy=_REMEDY)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(given.keys() - set(_KNOWN))
    if unknown:
        raise InputError(
            f"{shown}: unknown parameter {unknown[0]!r}: known are {', '.join(_KNOWN)}", remedy=_REMEDY
        )
    secure = given.get("secure", "0") == "1"
    password = os.environ.get(PASSWORD_VARIABLE, "") if parts.password is None else unquote(parts.password)
    return ClickHouseQuery(
        shown=shown,
        host=host,
        port=port or _PORTS[secure],
        secure=secure,
        user=unquote(parts.username or "default"),
        password=password,
        database=unquote(parts.path.strip("/")) or "default",
        service=given.get("service", ""),
        since_ns=_since_ns(shown, given["since"]) if "since" in given else 0,
        limit=_limit(shown, given.get("limit", str(limit))),
        table=given.get("table", ""),
    )


def _since_ns(shown: str, text: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,5})([smhdw])", text)
    if found is None:
        raise InputError(
            f"{shown}: since={text}: no number with a unit of {', '.join(_UNITS_NS)}", remedy=_REMEDY
        )
    return int(found[1]) * _UNITS_NS[found[2]]


def _limit(shown: str, text: str) -> int:
    if re.fullmatch(r"[1-9][0-9]{0,8}", text) is None:
        raise InputError(f"{shown}: limit={text}: no whole number above 0", remedy=_REMEDY)
    return int(text)
