"""A comparison as CSV: a row for end to end, each group and phase, and each query."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from punie.trace.analysis.comparison.change import Change
    from punie.trace.report.comparison_formats import ComparisonReport

COLUMNS: Final = (
    "kind",
    "name",
    "a_ns",
    "b_ns",
    "difference_ns",
    "difference_low_ns",
    "difference_high_ns",
    "ratio",
    "ratio_low",
    "ratio_high",
    "p",
    "family_p",
    "outcome",
)


def render(report: ComparisonReport) -> str:
    """A header and the rows; means and intervals in nanoseconds, what isn't known is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_row(change) for change in report.comparison.changes)
    for query in report.comparison.queries:
        writer.writerow(
            {
                "kind": "query",
                "name": query.query_id,
                "a_ns": round(query.a_ns),
                "b_ns": round(query.b_ns),
                "difference_ns": round(query.b_ns - query.a_ns),
                "ratio": query.b_ns / query.a_ns if query.a_ns else None,
            }
        )
    return out.getvalue()


def _row(change: Change) -> dict[str, object]:
    low, high = change.interval_ns or (None, None)
    ratio_low, ratio_high = change.ratio_interval or (None, None)
    return {
        "kind": change.measure.kind.value,
        "name": change.measure.name,
        "a_ns": round(change.a_ns),
        "b_ns": round(change.b_ns),
        "difference_ns": round(change.difference_ns),
        "difference_low_ns": None if low is None else round(low),
        "difference_high_ns": None if high is None else round(high),
        "ratio": change.ratio,
        "ratio_low": ratio_low,
        "ratio_high": ratio_high,
        "p": change.p,
        "family_p": change.family_p,
        "outcome": change.direction.value,
    }
