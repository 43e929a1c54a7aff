"""Builders of analysis input: a record from its phases in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from punie.trace.analysis.records import QueryLedger, QueryRecord
from punie.trace.model import Phase, Provenance

MS = 1_000_000


def build_record(
    query_id: str,
    phases_ms: Mapping[Phase, int],
    *,
    contested_ms: Mapping[Phase, int] | None = None,
    start_ns: int = 0,
    **fields: Any,  # noqa: ANN401 - the fields of QueryRecord, of many types
) -> QueryRecord:
    """A record whose wall time is the sum of `phases_ms`; right, answered by a server that is seen into."""
    phases_ns = {phase: phases_ms.get(phase, 0) * MS for phase in Phase}
    contested_ns = {phase: (contested_ms or {}).get(phase, 0) * MS for phase in Phase}
    provenance = {phase: (Provenance.SERVER,) if ns else () for phase, ns in phases_ns.items()}
    key = f"{query_id}/{fields.get('server_start', 0)}/{fields.get('repeat', 0)}"
    ledger = QueryLedger(key, start_ns, sum(phases_ns.values()), phases_ns, contested_ns, provenance)
    defaults: dict[str, Any] = {"ok": True, "network_known": True, "model_requests": 2}
    return QueryRecord(query_id, key, ledger, **(defaults | fields))
