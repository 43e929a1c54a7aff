"""The report as JSON, for programs. `report.schema.json` beside this file describes it.

History of the format (`schema_version`):
1: the first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from punie.trace.analysis.verdicts.assessment import interval_json

if TYPE_CHECKING:
    from punie.trace.analysis.records import QueryPath, QueryRecord
    from punie.trace.analysis.summary.summary import QuerySummary
    from punie.trace.analysis.summary.totals import Totals
    from punie.trace.analysis.verdicts.assessment import Assessment
    from punie.trace.report.content import About, Report

SCHEMA: Final = "punie.trace.report"
SCHEMA_VERSION: Final = 1


def render(report: Report) -> str:
    """The report as one JSON document; all times are integer nanoseconds."""
    return json.dumps(document(report), indent=2, ensure_ascii=False) + "\n"


def document(report: Report) -> dict[str, Any]:
    """The report as JSON values."""
    analysis = report.analysis
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "about": _about(report.about),
        "integrity": plain(analysis.integrity),
        "missing": plain(analysis.missing),
        "verdicts": {name: _verdict(finding) for name, finding in analysis.verdicts.items()},
        "totals": _totals(analysis.totals),
        "queries": [_query(record) for record in analysis.records],
        "summaries": [_summary(summary) for summary in analysis.queries],
        "critical_path": plain(analysis.critical_path),
        "cache": plain(analysis.cache),
        "what_if": plain(analysis.what_if),
        "warmup": [_query(record) for record in analysis.warmup],
    }


def _about(about: About) -> dict[str, Any]:
    return {**plain(about), "planned": len(about.planned) if about.planned else None}


def _verdict(finding: Assessment) -> dict[str, Any]:
    return {
        "verdict": finding.verdict.value,
        "estimate": finding.estimate,
        "interval": interval_json(finding.interval),
        "unit": finding.unit,
        "basis": finding.basis,
        "next_step": finding.next_step,
        "details": plain(finding.details),
    }


def _query(record: QueryRecord) -> dict[str, Any]:
    ledger = record.ledger
    apart = ("ledger", "critical_path")
    values = {name: value for name, value in plain(record).items() if name not in apart}
    return {
        **values,
        "start_ns": ledger.start_ns,
        "wall_ns": ledger.wall_ns,
        "phases_ns": {phase.value: ns for phase, ns in ledger.phases_ns.items()},
        "contested_ns": {phase.value: ns for phase, ns in ledger.contested_ns.items()},
        "provenance": {phase.value: plain(hows) for phase, hows in ledger.provenance.items() if hows},
        "critical_path": _path(record.critical_path),
    }


def _path(path: QueryPath | None) -> dict[str, Any] | None:
    if path is None:
        return None
    return {
        "phases_ns": plain(path.phases_ns),
        "parallel_ns": path.parallel_ns,
        "parts": plain(path.parts),
    }


def _summary(summary: QuerySummary) -> dict[str, Any]:
    return {
        "query_id": summary.query_id,
        "expected": summary.expected,
        "asked": summary.asked,
        "scored": summary.scored,
        "right": summary.right,
        "totals": _totals(summary.totals),
        "failed": [
            {"trace_id": r.trace_id, "failures": r.failures, "error": r.error} for r in summary.failed
        ],
    }


def _totals(totals: Totals | None) -> dict[str, Any] | None:
    return None if totals is None else plain(totals)


def plain(value: Any) -> Any:  # noqa: ANN401 # JSON has no common type
    """Frozen values as JSON values: an object for a dataclass or a mapping, an enum's value, a list for a tuple."""
    if is_dataclass(value):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value
