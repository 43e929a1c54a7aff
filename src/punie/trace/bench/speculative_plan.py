"""From the options of the benchmark of draft models to its plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final

from punie.trace.analysis.experiment.arms import PromptCache
from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.analysis.speculative.model import (
    BATCHED,
    SAME_AGAIN,
    SEQUENTIAL,
    BenchPlan,
    BenchSettings,
    DecodingMode,
    SpeculativeArm,
)
from punie.trace.analysis.speculative.preset import as_experiment
from punie.trace.bench.options import DEMO, BenchOptions
from punie.trace.demo.paths import draft_model_path, target_model_path
from punie.trace.machine.environment import Environment
from punie.trace.server.config import ServerConfig
from punie.trace.workload.suite import Suite

_PATHS: Final = ("suite", "workspace", "adapter")


def make_plan(options: BenchOptions, suite: Suite, bench_id: str, environment: Environment) -> ExperimentPlan:
    """The plan that `options` mean. Raises ConfigError for a model or a draft that isn't there."""
    is_demo = options.model is None
    model = str(options.model or target_model_path())
    drafts = tuple(str(draft_model_path()) if draft == DEMO else draft for draft in options.drafts)
    checked = [ServerConfig(model=model, adapter_path=options.adapter, draft_model=draft) for draft in drafts]
    plan = BenchPlan(
        bench_id=bench_id,
        model=str(checked[0].model),
        drafts=tuple(str(config.draft_model) for config in checked),
        arms=make_arms(len(drafts), options.k, options.draft_cache),
        suite_name=suite.name,
        suite_hash=suite.sha256,
        queries=tuple(query.id for query in suite.queries),
        blocks=options.blocks,
        repeats=options.repeats,
        seed=options.seed,
        created=environment.created,
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        target_ns=options.target_ns,
        max_memory_bytes=options.max_memory_bytes,
        is_demo=is_demo,
        settings=_settings(options),
        versions=environment.versions,
        machine=environment.machine,
    )
    return as_experiment(plan)


def _settings(options: BenchOptions) -> BenchSettings:
    values = {item.name: getattr(options, item.name) for item in fields(BenchSettings)}
    absolute = {name: str(Path(values[name]).absolute()) for name in _PATHS if values[name] is not None}
    return BenchSettings(**(values | absolute))


def make_arms(drafts: int, ks: Sequence[int], draft_cache: str) -> tuple[SpeculativeArm, ...]:
    """Every arm: the baseline that users run, itself again, the drafts' path, each draft at each k."""
    arms = [
        SpeculativeArm(BATCHED, DecodingMode.BATCHED, prompt_cache=PromptCache.SERVER),
        SpeculativeArm(SAME_AGAIN, DecodingMode.BATCHED, prompt_cache=PromptCache.SERVER),
        SpeculativeArm(SEQUENTIAL, DecodingMode.SEQUENTIAL),
    ]
    for cache in PromptCache:
        if draft_cache not in (cache.value, "both"):
            continue
        end = "-cache" if cache is PromptCache.SERVER else ""
        arms += [
            SpeculativeArm(f"draft{draft}-k{k}{end}", DecodingMode.DRAFT, draft, k, cache)
            for draft in range(drafts)
            for k in ks
        ]
    return tuple(arms)
