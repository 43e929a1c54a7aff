"""The experiments of a training: asking for samples, judging checkpoints, holding fused forms to the adapter, the end.

Each is an ordinary experiment in a folder of its own, so whatever was asked is kept and never asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from punie.trace.analysis.experiment.arms import (
    AgentSettings,
    Arm,
    PromptCache,
    RequestSettings,
    ServerSettings,
)
from punie.trace.analysis.experiment.plan import SAME_AGAIN_SUFFIX, ExperimentPlan
from punie.trace.analysis.experiment.size import DEFAULT_MAX_TOKENS
from punie.trace.bench.levers.registry import parse_change
from punie.trace.tuning.plan import TrainingPlan

SAMPLING: Final = "samples"
VALIDATION: Final = "validation"
JUDGEMENT: Final = "judgement"
BASE: Final = "base"
BRIEF: Final = "brief"
ADAPTER: Final = "adapter"
FUSED: Final = "fused"
SAMPLED: Final = "sampled"


def base_arm(plan: TrainingPlan, name: str = BASE) -> Arm:
    """What the runs were asked with, at temperature 0."""
    return Arm(
        name=name,
        server=ServerSettings(
            model=plan.model, adapter=plan.adapter, prompt_cache=PromptCache(plan.prompt_cache)
        ),
        request=RequestSettings(max_tokens=plan.max_tokens or DEFAULT_MAX_TOKENS),
        agent=AgentSettings(agent=plan.agent, workspace=plan.workspace),
    )


def adapter_arm(plan: TrainingPlan, name: str, adapter: Path) -> Arm:
    """The base with another adapter; it holds what the base's own adapter holds."""
    base = base_arm(plan, name)
    return replace(base, server=replace(base.server, adapter=str(adapter)))


def fused_arm(plan: TrainingPlan, name: str, model: Path) -> Arm:
    """A fused model, without an adapter."""
    base = base_arm(plan, name)
    return replace(base, server=replace(base.server, model=str(model), adapter=None))


def sampling(plan: TrainingPlan) -> ExperimentPlan:
    """The queries that are trained on, each asked `samples` times at a temperature.

    Two server starts, so that an interruption loses at most one of them.
    """
    base = base_arm(plan, SAMPLED)
    warm = replace(base, request=replace(base.request, temperature=plan.temperature))
    blocks = 2 if plan.samples > 1 else 1
    return _experiment(plan, SAMPLING, (warm,), plan.split.train, blocks, repeats=-(-plan.samples // blocks))


def validation(plan: TrainingPlan, checkpoints: Mapping[str, Path]) -> ExperimentPlan:
    """The base and every checkpoint over the validation queries, once."""
    arms = [base_arm(plan), *(adapter_arm(plan, name, path) for name, path in checkpoints.items())]
    return _experiment(plan, VALIDATION, arms, plan.split.validation, 1)


def fusing(plan: TrainingPlan, way: str, adapter: Path, fused: Path) -> ExperimentPlan:
    """A fused form beside its adapter over the validation queries, once."""
    arms = (adapter_arm(plan, ADAPTER, adapter), fused_arm(plan, f"{FUSED}-{way}", fused))
    return _experiment(plan, f"fusing-{way}", arms, plan.split.validation, 1)


def judgement(plan: TrainingPlan, trained: Sequence[Arm]) -> ExperimentPlan:
    """Base, base again for the noise, base told to be brief, and what was trained, over what nobody trained on."""
    base = base_arm(plan)
    again = base_arm(plan, f"{BASE}{SAME_AGAIN_SUFFIX}")
    brief = replace(parse_change("brief").to(base), name=BRIEF)
    made = _experiment(plan, JUDGEMENT, (base, again, brief, *trained), plan.split.judged, plan.blocks)
    return replace(made, same_again=again.name)


def _experiment(
    plan: TrainingPlan,
    name: str,
    arms: Iterable[Arm],
    queries: tuple[str, ...],
    blocks: int,
    repeats: int = 1,
) -> ExperimentPlan:
    arms = tuple(arms)
    return ExperimentPlan(
        bench_id=f"{plan.training_id}/{name}",
        arms=arms,
        baseline=arms[0].name,
        suite_name=plan.suite_name,
        suite_hash=plan.suite_hash,
        queries=queries,
        blocks=blocks,
        repeats=repeats,
        seed=plan.seeds[0],
        created=plan.created,
        suite=plan.suite,
        query_timeout=plan.query_timeout,
        ready_timeout=plan.ready_timeout,
        is_demo=plan.is_demo,
        versions=plan.versions,
        machine=plan.machine,
    )
