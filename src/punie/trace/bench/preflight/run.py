"""The preflight, from the vocabularies and one pass of the suite to `preflight.json`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from punie.trace.analysis.speculative.model import BenchPlan, Preflight
from punie.trace.analysis.speculative.preset import as_benchmark
from punie.trace.bench.child import ChildJob
from punie.trace.bench.folder import BenchFolder
from punie.trace.bench.preflight.conversations import hold_conversations
from punie.trace.bench.preflight.judge import Bounds, judge
from punie.trace.bench.runtime import Runtime
from punie.trace.serving.vocabulary import compare_vocabularies

MODULE: Final = "punie.trace.bench.preflight"
PART_S: Final = 12.0
"""How long each part of the measuring may go on: answers, costs, each draft; loading comes on top."""


@dataclass(frozen=True, slots=True)
class PreflightSettings:
    """`timeout_s` bounds each measuring process, loading and downloads included."""

    timeout_s: float
    allow_vocab_mismatch: bool
    recommended_bytes: int | None


async def run_preflight(
    folder: BenchFolder, runtime: Runtime, settings: PreflightSettings, on_step: Callable[[str], None]
) -> Preflight:
    """Measure, predict, write `preflight.json`. Raises VocabularyError, WorkloadError, ServerError."""
    plan = as_benchmark(runtime.plan)
    on_step("comparing vocabularies")
    notes = [
        compare_vocabularies(plan.model, draft, allow=settings.allow_vocab_mismatch) for draft in plan.drafts
    ]
    on_step("starting the server without a draft")
    prompts = await hold_conversations(runtime, folder.new_conversations(), on_step)
    child = ChildJob(MODULE, folder.path / "preflight-measure", settings.timeout_s)
    raw = await child.run(_job(plan, prompts), on_step)
    bounds = Bounds(plan.max_memory_bytes, settings.recommended_bytes)
    found = judge(raw, plan, bounds, [note for note in notes if note])
    folder.write_preflight(found)
    return found


def _job(plan: BenchPlan, prompts: list[list[int]]) -> dict[str, Any]:
    return {
        "model": plan.model,
        "adapter": plan.settings.adapter,
        "drafts": list(plan.drafts),
        "ks": sorted({arm.k for arm in plan.arms if arm.k is not None}),
        "prompts": prompts,
        "seconds": PART_S,
    }
