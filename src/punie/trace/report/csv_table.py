"""The report as CSV, one row a query asked (warm-up included and marked), for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from punie.trace.model import PHASES

if TYPE_CHECKING:
    from punie.trace.analysis.records import QueryRecord
    from punie.trace.report.content import Report

COLUMNS: Final = (
    "query_id",
    "trace_id",
    "server_start",
    "repeat",
    "position",
    "warmup",
    "expected",
    "ok",
    "failures",
    "error",
    "start_ns",
    "wall_ns",
    *(f"{phase.value}_ns" for phase in PHASES),
    *(f"path_{phase.value}_ns" for phase in PHASES),
    "parallel_ns",
    "model_requests",
    "tool_calls",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "truncated",
)


def render(report: Report) -> str:
    """A header and a row a query; what isn't known is empty, times are integer nanoseconds."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for record in (*report.analysis.warmup, *report.analysis.records):
        writer.writerow(_row(record))
    return out.getvalue()


def _row(record: QueryRecord) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(record, name) for name in COLUMNS if hasattr(record, name)}
    row |= {f"{phase.value}_ns": record.ledger.phases_ns[phase] for phase in PHASES}
    path = record.critical_path
    if path is not None:
        row |= {f"path_{phase.value}_ns": ns for phase, ns in path.phases_ns.items()}
        row["parallel_ns"] = path.parallel_ns
    row |= {
        "start_ns": record.ledger.start_ns,
        "failures": " ".join(record.failures),
        "warmup": _flag(record.warmup),
        "ok": _flag(record.ok),
    }
    return row


def _flag(value: bool | None) -> str:
    return "" if value is None else str(value).lower()
