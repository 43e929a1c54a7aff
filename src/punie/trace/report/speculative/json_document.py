"""The report of a benchmark as JSON, for programs. `speculative.schema.json` beside this file describes it.

History of the format (`schema_version`):
1: the first.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from punie.trace.analysis.speculative.model import THRESHOLD

if TYPE_CHECKING:
    from punie.trace.analysis.speculative.benchmark import DraftResult
    from punie.trace.analysis.speculative.speedup import Best
    from punie.trace.report.speculative.content import BenchReport

SCHEMA: Final = "punie.trace.bench.speculative"
SCHEMA_VERSION: Final = 1


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """Frozen types as JSON values; `dict` is for read-only mappings."""
    return msgspec.to_builtins(value, enc_hook=dict)


def render(report: BenchReport) -> str:
    """The report as one JSON document; all times are integer nanoseconds, but means of tokens."""
    return json.dumps(document(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def document(report: BenchReport) -> dict[str, Any]:
    """The report as JSON values."""
    found = report.analysis
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "source": report.source,
        "notes": list(report.notes),
        "threshold": THRESHOLD,
        "verdict": found.verdict.value,
        "reason": found.reason,
        "next_steps": list(report.steps),
        "best": _best(found.best),
        "baseline": found.baseline.name,
        "sequential": _plain(found.sequential),
        "same_again": _plain(found.same_again),
        "ceiling": found.ceiling,
        "drafts": [_draft(result) for result in found.drafts],
        "arms": _plain(found.arms),
        "gate": _plain(found.gate),
        "cache_cost": _plain(found.cache_cost),
        "planned": found.planned,
        "missing": found.missing,
        "integrity": [{"slug": i.slug, "effect": str(i.effect), "count": i.count} for i in found.integrity],
        "plan": _plain(found.plan),
        "preflight": _plain(found.preflight),
    }


def _best(best: Best | None) -> dict[str, Any] | None:
    if best is None:
        return None
    return {
        "arm": best.speed_up.arm,
        "estimate": best.speed_up.estimate,
        "interval": _plain(best.interval),
        "among": list(best.among),
        "moved_by": best.moved_by,
        "verdict": best.verdict.value,
    }


def _draft(result: DraftResult) -> dict[str, Any]:
    return {**_plain(result), "arm": result.arm.name, "verdict": result.verdict.value}
