"""The report of a benchmark of draft models as programs read it. `speculative.schema.json` is made from these types.

History of the format (`schema_version`):
1: the first.
2: written from types; verdicts as in the report of a run, `best` names its arm in `speed_up`, reasons are slugs.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from punie.trace.analysis.experiment.losslessness import Losslessness
from punie.trace.analysis.experiment.speedup import FastestArm, SpeedUp
from punie.trace.analysis.experiment.summary import ArmSummary
from punie.trace.analysis.speculative.benchmark import DraftResult
from punie.trace.analysis.speculative.decomposition import CacheCost
from punie.trace.analysis.speculative.model import THRESHOLD, BenchPlan, Preflight, SpeculativeArm
from punie.trace.model import Verdict
from punie.trace.report.content import BenchContent
from punie.trace.report.published.base import Published, fields_of, joined
from punie.trace.report.published.run import PublishedVerdict, judged
from punie.trace.report.wording.speculative import reason_text


class ArmReport(joined(ArmSummary, without=("arm", "accuracy", "target", "memory"))):  # type: ignore[misc] # as below
    """One arm: times are means of a pass through the queries, over blocks, of answers that count."""

    arm: SpeculativeArm
    accuracy: PublishedVerdict
    target: PublishedVerdict
    memory: PublishedVerdict


class DraftReport(joined(DraftResult, without=("arm",))):  # type: ignore[misc] # made at import
    """One draft at one k; `barred` says why it can't be the best."""

    arm: str
    verdict: Verdict


class GateReport(joined(Losslessness)):  # type: ignore[misc] # as above
    """All arms; `cache_is_to_blame`: outputs differ in drafts with the prompt cache on, and in none without it."""

    cache_is_to_blame: bool


class FindingCount(msgspec.Struct, frozen=True):
    """What integrity found in all cells together."""

    slug: str
    effect: str
    count: int
    remedy: str


class SpeculativeDocument(Published, frozen=True, kw_only=True):
    """One analysed benchmark; `missing` executions of `planned` have no trace."""

    schema: Literal["punie.trace.bench.speculative"] = "punie.trace.bench.speculative"
    schema_version: Literal[2] = 2
    source: str
    notes: tuple[str, ...]
    threshold: float
    verdict: Verdict
    reason: str
    next_steps: tuple[str, ...]
    best: FastestArm | None
    baseline: str
    sequential: SpeedUp | None
    same_again: SpeedUp | None
    ceiling: float | None
    drafts: tuple[DraftReport, ...]
    arms: tuple[ArmReport, ...]
    gate: GateReport
    cache_cost: CacheCost | None
    planned: int
    missing: int
    integrity: tuple[FindingCount, ...]
    plan: BenchPlan
    preflight: Preflight | None


def publish_speculative(report: BenchContent) -> SpeculativeDocument:
    """The report as its published type."""
    analysis = report.analysis
    values = {
        **fields_of(SpeculativeDocument, analysis),
        "source": report.source,
        "notes": report.notes,
        "threshold": THRESHOLD,
        "reason": reason_text(analysis),
        "next_steps": report.steps,
        "baseline": analysis.baseline.name,
        "drafts": [_draft(result) for result in analysis.drafts],
        "arms": [_arm(analysis.plan.arm(summary.arm), summary) for summary in analysis.arms],
        "gate": {**fields_of(GateReport, analysis.gate), "cache_is_to_blame": analysis.cache_is_to_blame},
    }
    return msgspec.convert(values, SpeculativeDocument, from_attributes=True)


def _draft(result: DraftResult) -> dict[str, Any]:
    return {**fields_of(DraftReport, result), "arm": result.arm.name}


def _arm(arm: SpeculativeArm, summary: ArmSummary) -> dict[str, Any]:
    verdicts = {name: judged(getattr(summary, name)) for name in ("accuracy", "target", "memory")}
    return {**fields_of(ArmReport, summary), **verdicts, "arm": arm}
