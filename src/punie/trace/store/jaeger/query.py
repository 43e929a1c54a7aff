"""What to ask Jaeger for: `jaeger://HOST:PORT/PREFIX?service=…&operation=…&lookback=…&limit=…`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from punie.trace.store.source_url import parse_source_url

SCHEME: Final = "jaeger"
_PORT: Final = 16686
_KNOWN: Final = ("service", "operation", "lookback", "limit")
_EXAMPLE: Final = "jaeger://localhost:16686?service=agent&lookback=2h&limit=100"
_LOOKBACK: Final = "1h"
_LIMIT: Final = 1_000


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
    found = parse_source_url(url, _KNOWN, _EXAMPLE)
    if not found.parameters.get("service"):
        found.refuse("service= is missing: Jaeger searches the traces of one service")
    return JaegerQuery(
        host=found.host,
        port=found.port or _PORT,
        prefix=found.path.rstrip("/"),
        service=found.parameters["service"],
        operation=found.parameters.get("operation", ""),
        lookback=found.parameters.get("lookback", _LOOKBACK),
        lookback_ns=found.duration_ns("lookback", _LOOKBACK),
        limit=found.count("limit", _LIMIT),
    )


def _rfc3339(time_ns: int) -> str:
    seconds, rest_ns = divmod(max(time_ns, 0), 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns:09d}Z"
