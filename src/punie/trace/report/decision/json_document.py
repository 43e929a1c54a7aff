"""A decision as JSON, for programs. `decision.schema.json` beside this file describes it.

History of the format (`schema_version`):
1: the first.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from punie.trace.report.decision.sections import DecisionReport

SCHEMA: Final = "punie.trace.decision"
SCHEMA_VERSION: Final = 1


def render(report: DecisionReport) -> str:
    """The decision as one JSON document."""
    return json.dumps(document(report), indent=2, ensure_ascii=False) + "\n"


def document(report: DecisionReport) -> dict[str, Any]:
    """The decision as JSON values."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "run": report.run,
        "bench": report.bench,
        "notes": list(report.notes),
        "steps": [{**asdict(step), "verdict": step.verdict.value} for step in report.decision.steps],
        "conclusion": report.decision.conclusion,
    }
