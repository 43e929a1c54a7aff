"""The benchmark of draft models as an experiment, and an experiment as that benchmark: both say the same."""

from __future__ import annotations

from collections.abc import Sequence

from punie.trace.analysis.experiment.arms import (
    AgentSettings,
    Arm,
    ExpectedOutput,
    PromptCache,
    RequestSettings,
    ServerSettings,
)
from punie.trace.analysis.experiment.plan import ExperimentPlan, SpeculativeSettings
from punie.trace.analysis.speculative.model import (
    BATCHED,
    SAME_AGAIN,
    THRESHOLD,
    BenchPlan,
    BenchSettings,
    DecodingMode,
    SpeculativeArm,
)


def as_experiment(plan: BenchPlan) -> ExperimentPlan:
    """The same benchmark as an experiment of whole configurations."""
    settings = plan.settings
    return ExperimentPlan(
        bench_id=plan.bench_id,
        arms=tuple(_configuration(plan, arm) for arm in plan.arms),
        baseline=BATCHED,
        same_again=SAME_AGAIN,
        suite_name=plan.suite_name,
        suite_hash=plan.suite_hash,
        suite=settings.suite,
        queries=plan.queries,
        blocks=plan.blocks,
        repeats=plan.repeats,
        seed=plan.seed,
        created=plan.created,
        threshold=THRESHOLD,
        target_ns=plan.target_ns,
        max_memory_bytes=plan.max_memory_bytes,
        query_timeout=settings.query_timeout,
        ready_timeout=settings.ready_timeout,
        is_demo=plan.is_demo,
        speculative=SpeculativeSettings(
            settings.preflight_timeout, settings.allow_vocab_mismatch, settings.draft_cache
        ),
        versions=plan.versions,
        machine=plan.machine,
    )


def _configuration(plan: BenchPlan, arm: SpeculativeArm) -> Arm:
    draft = None if arm.draft is None else plan.drafts[arm.draft]
    shares = arm.draft is not None and arm.prompt_cache is PromptCache.OFF
    return Arm(
        arm.name,
        ServerSettings(
            model=plan.model, adapter=plan.settings.adapter, draft=draft, prompt_cache=arm.prompt_cache
        ),
        RequestSettings(
            max_tokens=plan.max_tokens,
            temperature=plan.temperature,
            # mlx_lm serves a request with a seed alone, as it does with a draft; at temperature 0 it changes nothing
            seed=0 if arm.kind is DecodingMode.SEQUENTIAL else None,
            num_draft_tokens=arm.k,
        ),
        AgentSettings(agent=plan.settings.agent, workspace=plan.settings.workspace),
        output=ExpectedOutput.SAME,
        group=f"draft{arm.draft}" if shares else "",
    )


def as_benchmark(plan: ExperimentPlan) -> BenchPlan:
    """The benchmark of draft models that `plan` is. Raises ValueError for another experiment."""
    if plan.speculative is None:
        raise ValueError(f"{plan.bench_id} is no benchmark of draft models")
    first = plan.arm(plan.baseline)
    drafts = tuple(dict.fromkeys(arm.server.draft for arm in plan.arms if arm.server.draft is not None))
    return BenchPlan(
        bench_id=plan.bench_id,
        model=first.server.model or "",
        drafts=drafts,
        arms=tuple(_arm(arm, drafts) for arm in plan.arms),
        suite_name=plan.suite_name,
        suite_hash=plan.suite_hash,
        queries=plan.queries,
        blocks=plan.blocks,
        repeats=plan.repeats,
        seed=plan.seed,
        created=plan.created,
        temperature=first.request.temperature or 0.0,
        max_tokens=first.request.max_tokens,
        target_ns=plan.target_ns,
        max_memory_bytes=plan.max_memory_bytes,
        is_demo=plan.is_demo,
        settings=_settings(plan, first, plan.speculative),
        versions=plan.versions,
        machine=plan.machine,
    )


def _settings(plan: ExperimentPlan, first: Arm, speculative: SpeculativeSettings) -> BenchSettings:
    return BenchSettings(
        suite=plan.suite,
        agent=first.agent.agent,
        workspace=first.agent.workspace,
        adapter=first.server.adapter,
        query_timeout=plan.query_timeout,
        ready_timeout=plan.ready_timeout,
        preflight_timeout=speculative.preflight_timeout,
        allow_vocab_mismatch=speculative.allow_vocab_mismatch,
        draft_cache=speculative.draft_cache,
    )


def _arm(arm: Arm, drafts: Sequence[str]) -> SpeculativeArm:
    cache = arm.server.prompt_cache
    if arm.server.draft is not None:
        k, draft = arm.request.num_draft_tokens, drafts.index(arm.server.draft)
        return SpeculativeArm(arm.name, DecodingMode.DRAFT, draft, k, cache)
    kind = DecodingMode.BATCHED if arm.request.seed is None else DecodingMode.SEQUENTIAL
    return SpeculativeArm(arm.name, kind, prompt_cache=cache)
