"""The preflight, from the agent's prompts to `preflight.json`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from punie.trace.analysis.speculative.model import Plan, Preflight
from punie.trace.bench.child import ChildJob
from punie.trace.bench.folder import BenchFolder
from punie.trace.bench.preflight import vocabulary
from punie.trace.bench.preflight.judge import Bounds, judge
from punie.trace.bench.prompts import first_request
from punie.trace.bench.runtime import Runtime

MODULE: Final = "punie.trace.bench.preflight"
PART_S: Final = 12.0
"""How long each part of the measuring may go on: answers, costs, each draft; loading comes on top."""


@dataclass(frozen=True, slots=True)
class PreflightSettings:
    """`timeout_s` bounds all of it, loading and downloads included."""

    timeout_s: float
    allow_vocab_mismatch: bool
    recommended_bytes: int | None


async def run_preflight(
    folder: BenchFolder, runtime: Runtime, settings: PreflightSettings, heard: Callable[[str], None]
) -> Preflight:
    """Measure, predict, write `preflight.json`. Raises VocabularyError, WorkloadError, ServerError."""
    heard("taking the agent's prompts")
    agent = runtime.agent()
    requests = [await first_request(agent, query) for query in runtime.suite.queries]
    child = ChildJob(MODULE, folder.path / "preflight-measure", settings.timeout_s)
    raw = await child.run(_job(runtime.plan, settings, requests), heard)
    notes = [
        vocabulary.check(found, draft, allow=settings.allow_vocab_mismatch)
        for found, draft in zip(raw["vocabulary"], runtime.plan.drafts, strict=True)
    ]
    bounds = Bounds(runtime.plan.max_memory_bytes, settings.recommended_bytes)
    found = judge(raw, runtime.plan, bounds, [note for note in notes if note])
    folder.write_preflight(found)
    return found


def _job(plan: Plan, settings: PreflightSettings, requests: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "model": plan.model,
        "adapter": plan.settings.get("adapter"),
        "drafts": list(plan.drafts),
        "ks": sorted({arm.k for arm in plan.arms if arm.k is not None}),
        "allow_vocab_mismatch": settings.allow_vocab_mismatch,
        "requests": requests,
        "seconds": PART_S,
    }
