"""The preflight of a benchmark as programs read it: `preflight.json` with the reason in words."""

from __future__ import annotations

from typing import Literal

import msgspec

from punie.trace.analysis.speculative.model import (
    BaselineShape,
    DraftMeasurement,
    MemoryPrediction,
    Prediction,
    Preflight,
    TargetKind,
    VerificationCost,
)
from punie.trace.model import Verdict
from punie.trace.report.published.base import Published, fields_of
from punie.trace.report.wording.speculative import preflight_reason


class PreflightReport(Published, frozen=True, kw_only=True):
    """What was measured before the long benchmark, and what it predicts."""

    schema: Literal["punie.trace.preflight"] = "punie.trace.preflight"
    schema_version: Literal[1] = 1
    target_kind: TargetKind
    verification: tuple[VerificationCost, ...]
    drafts: tuple[DraftMeasurement, ...]
    shape: BaselineShape | None
    predictions: tuple[Prediction, ...]
    best: Prediction | None
    memory: MemoryPrediction | None
    worth: Verdict
    why: str
    logit_noise: float | None
    token_ns: int | None
    seconds: float | None
    notes: tuple[str, ...]


def publish_preflight(preflight: Preflight) -> PreflightReport:
    """The preflight as its published type."""
    values = {**fields_of(PreflightReport, preflight), "why": preflight_reason(preflight)}
    return msgspec.convert(values, PreflightReport, from_attributes=True)
