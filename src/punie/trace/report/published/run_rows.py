"""The report of a run as a table: one row a query asked, warm-up included and marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.model import PHASES
from punie.trace.report.document import Rows, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from punie.trace.analysis.records import QueryRecord

_ASKED: Final = ("query_id", "trace_id", "server_start", "repeat", "position", "warmup", "expected", "ok")
_COUNTS: Final = (
    "model_requests",
    "tool_calls",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "truncated",
)
_COLUMNS: Final = (
    *_ASKED,
    *("failures", "error", "start_ns", "wall_ns"),
    *(f"{phase.value}_ns" for phase in PHASES),
    *(f"path_{phase.value}_ns" for phase in PHASES),
    "parallel_ns",
    *_COUNTS,
)


def query_rows(records: Iterable[QueryRecord]) -> Rows:
    """Times are integer nanoseconds."""
    return Rows(_COLUMNS, tuple(tuple(_row(record)) for record in records))


def _row(record: QueryRecord) -> Iterator[Value]:
    path = record.critical_path
    yield from (getattr(record, name) for name in _ASKED)
    yield from (" ".join(record.failures), record.error, record.ledger.start_ns, record.wall_ns)
    yield from (record.ledger.phases_ns[phase] for phase in PHASES)
    yield from (path.phases_ns[phase] if path else None for phase in PHASES)
    yield path.parallel_ns if path else None
    yield from (getattr(record, name) for name in _COUNTS)
