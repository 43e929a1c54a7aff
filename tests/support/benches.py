"""Builders of a benchmark's measurements: a plan, and observations with planted times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from records import build_record

from punie.trace.analysis.experiment.arms import PromptCache
from punie.trace.analysis.experiment.drafting import Drafting
from punie.trace.analysis.experiment.observation import Observation, TurnOutput
from punie.trace.analysis.speculative.model import (
    BATCHED,
    SAME_AGAIN,
    SEQUENTIAL,
    BaselineShape,
    BenchPlan,
    DecodingMode,
    DraftMeasurement,
    Estimate,
    Preflight,
    PreflightMeasurement,
    SpeculativeArm,
    TargetKind,
    VerificationCost,
)
from punie.trace.analysis.speculative.prediction import predict
from punie.trace.model import Phase

QUERIES = ("find", "explain", "list")
ARMS = (
    SpeculativeArm(BATCHED, DecodingMode.BATCHED, prompt_cache=PromptCache.SERVER),
    SpeculativeArm(SAME_AGAIN, DecodingMode.BATCHED, prompt_cache=PromptCache.SERVER),
    SpeculativeArm(SEQUENTIAL, DecodingMode.SEQUENTIAL),
    SpeculativeArm("draft0-k2", DecodingMode.DRAFT, 0, 2),
    SpeculativeArm("draft0-k3", DecodingMode.DRAFT, 0, 3),
)
CACHED_DRAFT = SpeculativeArm("draft0-k3-cache", DecodingMode.DRAFT, 0, 3, PromptCache.SERVER)
SAID = (TurnOutput("a", (1, 2, 3)), TurnOutput("b", (4, 5)))


def build_plan(arms: Sequence[SpeculativeArm] = ARMS, **fields: Any) -> BenchPlan:  # noqa: ANN401 # fields of BenchPlan
    """A plan of five blocks."""
    values: dict[str, Any] = {
        "bench_id": "bench",
        "model": "/models/target",
        "drafts": ("/models/draft",),
        "arms": tuple(arms),
        "suite_name": "suite",
        "suite_hash": "abc",
        "queries": QUERIES,
        "blocks": 5,
        "repeats": 1,
        "seed": 0,
        "created": "2026-11-23T14:05:09+00:00",
    }
    return BenchPlan(**(values | fields))


def build_observation(
    arm: str,
    block: int,
    query_id: str,
    phases_ms: Mapping[Phase, int],
    *,
    repeat: int = 0,
    seen: Mapping[str, Any] | None = None,
    **record: Any,  # noqa: ANN401 # fields of QueryRecord
) -> Observation:
    """One observation; `seen` are its other fields."""
    made = build_record(
        query_id, phases_ms, repeat=repeat, start_ns=repeat, **({"output_tokens": 40} | record)
    )
    found = Observation(arm, block, f"{arm}-{block}", made, outputs=SAID)
    return replace(found, **(seen or {}))


def observe_all(
    plan: BenchPlan, decode_ms: Mapping[str, int], *, jitter_ms: int = 8
) -> tuple[Observation, ...]:
    """Every execution of the plan: `decode_ms` of an arm, 100 ms of prefill (40 with the cache), 20 ms besides.

    Blocks differ by `jitter_ms` a step, one way in one arm, another way in the next.
    """
    found = []
    for number, arm in enumerate(plan.arms):
        for block in range(plan.blocks):
            for repeat in range(plan.repeats):
                for query_id in plan.queries:
                    off = jitter_ms * ((block * (number + 2)) % 5 - 2)
                    phases = {
                        Phase.DECODE: decode_ms[arm.name] + off,
                        Phase.PREFILL: 40 if arm.prompt_cache is PromptCache.SERVER else 100,
                        Phase.FRAMEWORK: 20,
                    }
                    seen = {"drafting": Drafting(10, 30, 20, (9, 7, 4)[: arm.k])} if arm.k else {}
                    found.append(
                        build_observation(arm.name, block, query_id, phases, repeat=repeat, seen=seen)
                    )
    return tuple(found)


def build_preflight(**fields: Any) -> Preflight:  # noqa: ANN401 # fields of PreflightMeasurement
    """A preflight of a dense target that drafts predict well."""
    values: dict[str, Any] = {
        "target_kind": TargetKind.DENSE,
        "verification": tuple(
            VerificationCost(m, Estimate(1 + 0.02 * (m - 1), 1.0, 1.1 + 0.02 * m)) for m in range(1, 7)
        ),
        "drafts": (
            DraftMeasurement(0, Estimate(0.8, 0.75, 0.85), (0.8, 0.64, 0.5), Estimate(0.1, 0.08, 0.12)),
        ),
        "shape": BaselineShape(Estimate(0.8, 0.75, 0.85), Estimate(0.1, 0.08, 0.12)),
        "logit_noise": 0.01,
    }
    return predict(PreflightMeasurement(**(values | fields)), ks=(2, 3, 5))
