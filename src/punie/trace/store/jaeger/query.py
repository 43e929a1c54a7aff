"""What to ask Jaeger for: `jaeger://HOST:PORT/PREFIX?service=…&operation=…&lookback=…&limit=…`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from punie.trace.errors import InputError

SCHEME: Final = "jaeger"
_PORT: Final = 16686
_LOOKBACK: Final = "1h"
_LIMIT: Final = 1000
_KNOWN: Final = ("service", "operation", "lookback", "limit")
_SECOND_NS: Final = 1_000_000_000
_UNITS_NS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "s": _SECOND_NS,
        "m": 60 * _SECOND_NS,
        "h": 3_600 * _SECOND_NS,
        "d": 86_400 * _SECOND_NS,
        "w": 604_800 * _SECOND_NS,
    }
)
_REMEDY: Final = "for example jaeger://localhost:16686?service=agent&lookback=2h&limit=100"


@dataclass(frozen=True, slots=True)
class JaegerQuery:
    """A search for traces: of one service, that started in the last `lookback_ns`, at most `limit` of them."""

    host: str
    port: int
    prefix: str
    service: str
    operation: str
    lookback: str
    lookback_ns: int
    limit: int

    def path(self, now_ns: int) -> str:
        """The request of the search at `now_ns`. It asks for one trace more, to see that the limit cuts.

        Parameters go by the names that every version with this API knows; the traces come as they were sent,
        not adjusted to skewed clocks.
        """
        wanted = {
            "query.service_name": self.service,
            "query.operation_name": self.operation,
            "query.start_time_min": _rfc3339(now_ns - self.lookback_ns),
            "query.start_time_max": _rfc3339(now_ns),
            "query.search_depth": str(self.limit + 1),
            "query.num_traces": str(self.limit + 1),
            "query.raw_traces": "true",
        }
        return (
            f"{self.prefix}/api/v3/traces?{urlencode({key: value for key, value in wanted.items() if value})}"
        )

    @property
    def services_path(self) -> str:
        """The request for the services that Jaeger knows."""
        return f"{self.prefix}/api/v3/services"


def parse_query(url: str) -> JaegerQuery:
    """The query that `url` describes. Raises `InputError` that names the URL and the part that is wrong."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORT
    except ValueError as error:
        raise InputError(f"{url}: {error}", remedy=_REMEDY) from error
    if not host:
        raise InputError(f"{url}: names no host", remedy=_REMEDY)
    given = _parameters(url, parts)
    if not given.get("service"):
        raise InputError(
            f"{url}: service= is missing: Jaeger searches the traces of one service", remedy=_REMEDY
        )
    lookback = given.get("lookback", _LOOKBACK)
    return JaegerQuery(
        host=host,
        port=port,
        prefix=parts.path.rstrip("/"),
        service=given["service"],
        operation=given.get("operation", ""),
        lookback=lookback,
        lookback_ns=_lookback_ns(url, lookback),
        limit=_limit(url, given.get("limit", str(_LIMIT))),
    )


def _parameters(url: str, parts: SplitResult) -> dict[str, str]:
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(given.keys() - set(_KNOWN))
    if unknown:
        raise InputError(
            f"{url}: unknown parameter {unknown[0]!r}: known are {', '.join(_KNOWN)}", remedy=_REMEDY
        )
    return given


def _lookback_ns(url: str, text: str) -> int:
    count, unit = text[:-1], text[-1:]
    if not (
        count.isascii() and count.isdecimal() and len(count) <= 6 and int(count) > 0 and unit in _UNITS_NS
    ):
        raise InputError(
            f"{url}: lookback={text}: no number with a unit of {', '.join(_UNITS_NS)}", remedy=_REMEDY
        )
    return int(count) * _UNITS_NS[unit]


def _limit(url: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) > 0):
        raise InputError(f"{url}: limit={text}: no whole number above 0", remedy=_REMEDY)
    return int(text)


def _rfc3339(time_ns: int) -> str:
    seconds, rest_ns = divmod(max(time_ns, 0), _SECOND_NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns:09d}Z"
