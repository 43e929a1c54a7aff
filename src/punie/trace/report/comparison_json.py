"""A comparison as JSON, for programs. `comparison.schema.json` beside this file describes it.

History of the format (`schema_version`):
1: the first.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from punie.trace.analysis.comparison.change import Change
    from punie.trace.analysis.comparison.compare import Comparison
    from punie.trace.analysis.comparison.sides import Side
    from punie.trace.report.comparison_formats import ComparisonReport

SCHEMA: Final = "punie.trace.comparison"
SCHEMA_VERSION: Final = 1


def render(report: ComparisonReport) -> str:
    """The comparison as one JSON document; times are nanoseconds, means rounded to whole ones."""
    return json.dumps(document(report), indent=2, ensure_ascii=False) + "\n"


def document(report: ComparisonReport) -> dict[str, Any]:
    """The comparison as JSON values."""
    comparison = report.comparison
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "sides": {
            "a": {"sources": list(report.a), **_side(comparison.a)},
            "b": {"sources": list(report.b), **_side(comparison.b)},
        },
        "comparability": [fact.as_json() for fact in comparison.facts],
        "same_answers": comparison.same_answers,
        "outcome": comparison.direction.value,
        "undecided": list(comparison.undecided),
        "caveats": list(comparison.caveats),
        "design": _design(comparison),
        "changes": [_change(change) for change in comparison.changes],
        "queries": [
            {"query_id": q.query_id, "a_ns": round(q.a_ns), "b_ns": round(q.b_ns)} for q in comparison.queries
        ],
        "work": [{"name": t.name, "a": t.a, "b": t.b} for t in comparison.tokens],
        "sensitivity": _sensitivity(comparison),
        "gate": {"gate": report.gate.gate.value, "reason": report.gate.reason} if report.gate else None,
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "server_starts": side.starts,
        "answers": len(side.answers),
        "failed": [_censored(record) for record in side.failed],
        "truncated": [_censored(record) for record in side.truncated],
    }


def _censored(record: Any) -> dict[str, Any]:  # noqa: ANN401 # a QueryRecord
    return {"query_id": record.query_id, "trace_id": record.trace_id}


def _design(comparison: Comparison) -> dict[str, Any] | None:
    design, test = comparison.design, comparison.test
    if design is None:
        return None
    return {
        "unit": design.unit.value,
        "exchanged": design.exchanged.value,
        "paired_by_query": design.paired_queries,
        "covers_server_starts": design.covers_starts,
        "queries": list(design.queries),
        "left_out": dict(design.left_out),
        "server_starts": list(design.starts),
        "least_repeats": design.repeats,
        "exchangeable_units": test.units if test else 0,
        "arrangements": str(test.arrangements) if test else "0",
        "exact": test.exact if test else False,
        "smallest_p": test.smallest_p if test else None,
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "kind": change.measure.kind.value,
        "name": change.measure.name,
        "a_ns": round(change.a_ns),
        "b_ns": round(change.b_ns),
        "difference_ns": round(change.difference_ns),
        "interval_ns": list(map(round, change.interval_ns)) if change.interval_ns else None,
        "ratio": change.ratio,
        "ratio_interval": list(change.ratio_interval) if change.ratio_interval else None,
        "p": change.p,
        "family_p": change.family_p,
        "outcome": change.direction.value,
    }


def _sensitivity(comparison: Comparison) -> dict[str, Any] | None:
    found = comparison.sensitivity
    if found is None:
        return None
    return {
        "detectable_ns": round(found.detectable_ns),
        "size_ns": round(found.size_ns),
        "unit": found.unit.value,
        "has": found.has,
        "needed": found.per_side,
    }
