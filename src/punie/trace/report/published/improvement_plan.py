"""What an improvement would do, as programs read it. `improvement_plan.schema.json` is made from these types.

History of the format (`schema_version`):
1: the first.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from punie.trace.analysis.improvement.model import LeverCandidate
from punie.trace.analysis.improvement.settings import ImproveSettings
from punie.trace.report.published.base import Published


class PlannedTool(msgspec.Struct, frozen=True):
    """A tool that would be called."""

    name: str
    read_only: bool


class ImprovementPlan(Published, frozen=True, kw_only=True):
    """The levers that could be tried, with why some can't, and the tools that would be called."""

    schema: Literal["punie.trace.improvement.plan"] = "punie.trace.improvement.plan"
    schema_version: Literal[1] = 1
    suite: str
    queries: tuple[str, ...]
    budget_ns: int | None
    levers: tuple[LeverCandidate, ...]
    tools: tuple[PlannedTool, ...]


def publish_improvement_plan(
    settings: ImproveSettings, candidates: tuple[LeverCandidate, ...], tools: tuple[tuple[str, bool], ...]
) -> ImprovementPlan:
    """The plan as its published type."""
    return ImprovementPlan(
        suite=settings.suite_name,
        queries=settings.queries,
        budget_ns=settings.budget_ns,
        levers=candidates,
        tools=tuple(PlannedTool(name, read_only) for name, read_only in tools),
    )
