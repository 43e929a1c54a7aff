"""Experiments, improvements and trainings with planted times: of nothing, one arm, many, and what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any, Final

from benches import build_observation
from hostile_texts import HOSTILE

from punie.trace.analysis.causes.model import Cause, CauseKind
from punie.trace.analysis.experiment.arms import (
    AgentSettings,
    Arm,
    ExpectedOutput,
    RequestSettings,
    ServerSettings,
)
from punie.trace.analysis.experiment.measured import CellFacts, Measured
from punie.trace.analysis.experiment.observation import Observation
from punie.trace.analysis.experiment.plan import ExperimentPlan, StoppingRule
from punie.trace.analysis.experiment.results import ArmResult, Experiment, analyse
from punie.trace.analysis.experiment.summary import Limits
from punie.trace.analysis.improvement.model import (
    BASELINE,
    ArmMeasurement,
    ImprovementEnding,
    LeverCandidate,
    LeverPrediction,
    LeverSet,
    Stage,
    StageMeasurement,
)
from punie.trace.analysis.improvement.planner import ImprovementState
from punie.trace.analysis.improvement.ranking import rank
from punie.trace.analysis.improvement.settings import ImproveSettings
from punie.trace.analysis.improvement.track_record import PredictionResult
from punie.trace.analysis.statistics.ratio import RatioUnit
from punie.trace.analysis.verdicts.assessment import Integrity
from punie.trace.model import Phase
from punie.trace.report.builders.experiment import build_experiment
from punie.trace.report.builders.improvement import build_improvement
from punie.trace.report.content import ExperimentContent, ImprovementContent, RunContent
from punie.trace.report.document import Document

BASE: Final = Arm("baseline")
AGAIN: Final = Arm("baseline-aa")
BRIEF: Final = Arm("brief", agent=AgentSettings(instruction="Answer in one sentence."), levers=("brief",))
LIMITED: Final = Arm(
    "tool-results", agent=AgentSettings(tool_result_characters=4000), levers=("tool-results=4000",)
)
DRAFT: Final = Arm(
    "draft",
    ServerSettings(draft="/models/draft"),
    RequestSettings(num_draft_tokens=3),
    levers=("draft=/models/draft",),
    output=ExpectedOutput.SAME,
)
QUERIES: Final = ("find", "explain", "list", f"odd {HOSTILE}")
TIMES_MS: Final[Mapping[str, int]] = {
    "baseline": 900,
    "baseline-aa": 904,
    "brief": 520,
    "tool-results": 820,
    "draft": 640,
    "brief+tool-results": 470,
}
TOKENS: Final[Mapping[str, int]] = {"brief": 22, "brief+tool-results": 22}
SECOND: Final = 10**9


def plan(arms: Sequence[Arm] = (BASE, AGAIN, BRIEF, LIMITED, DRAFT), **fields: Any) -> ExperimentPlan:  # noqa: ANN401
    """Eight blocks of it, of which every second one is looked at."""
    values: dict[str, Any] = {
        "bench_id": "2026-11-30T14-05-09-plan",
        "arms": tuple(arms),
        "baseline": "baseline",
        "same_again": "baseline-aa" if AGAIN in arms else None,
        "suite_name": "mine",
        "suite_hash": "0123456789abcdef",
        "queries": QUERIES,
        "blocks": 8,
        "repeats": 1,
        "seed": 7,
        "created": "2026-11-30T14:05:09+01:00",
        "stopping": StoppingRule(looks=(4, 6, 8), decided=True),
        "target_ns": 800 * 10**6,
        "versions": {"punie-trace": "0.1.0", "mlx-lm": "0.32.0"},
        "machine": {"chip": f"M4 {HOSTILE}", "memory": "32 GB"},
    }
    return ExperimentPlan(**(values | fields))


def observe(arm: Arm, block: int, query_id: str, *, wrong: bool = False) -> Observation:
    """One execution; blocks differ by some percent, each arm in its own way, and the first is slow for all."""
    took = TIMES_MS[arm.name]
    off = took // 100 * ((block * (len(arm.name) + 3)) % 5 - 2) + (took // 20 if block == 0 else 0)
    phases = {Phase.DECODE: took + off, Phase.PREFILL: 100, Phase.TOOL: 30, Phase.FRAMEWORK: 20}
    tokens = {"output_tokens": TOKENS.get(arm.name, 40), "input_tokens": 400, "cached_tokens": 120}
    seen = {"peak_bytes": 19 * SECOND, "footprint_bytes": 20 * SECOND, "recommended_bytes": 25 * SECOND}
    return build_observation(arm.name, block, query_id, phases, seen=seen, **tokens, ok=not wrong)


def cells(found: ExperimentPlan, *, after: int = 0, **first: Any) -> tuple[CellFacts, ...]:  # noqa: ANN401
    """A server start for each arm of each block, one after the other; `first` is what happened to the first one.

    `after` so many others of an earlier stage.
    """
    places = [(block, arm) for block in range(found.blocks) for arm in found.arms]
    facts = [
        CellFacts(
            f"{number:04}-{arm.name}",
            block,
            (arm.name,),
            began_ns=(after + number) * 9 * SECOND,
            took_ns=TIMES_MS[arm.name] * 8 * 10**6 + number % 3 * 10**8,
            swapped_out_bytes=0,
        )
        for number, (block, arm) in enumerate(places)
    ]
    return (replace(facts[0], **first), *facts[1:])


def experiment(
    found: ExperimentPlan,
    *,
    wrong: str = "",
    missing: str = "",
    integrity: tuple[Integrity, ...] = (),
    **more: Any,  # noqa: ANN401
) -> Experiment:
    """All executions of a plan: those of arm `wrong` fail in one query, those of `missing` left no trace."""
    observed = tuple(
        observe(arm, block, query, wrong=arm.name == wrong and query == QUERIES[-1])
        for arm in found.arms
        for block in range(found.blocks)
        for query in found.queries
        if arm.name != missing
    )
    limits = Limits(found.target_ns or 10 * SECOND, 32 * SECOND)
    return analyse(Measured(found, observed, integrity, **({"cells": cells(found)} | more)), limits)


def unbegun() -> Experiment:
    return analyse(Measured(plan(), ()))


def one_arm() -> Experiment:
    return experiment(plan((BASE, BRIEF), blocks=2, stopping=StoppingRule()))


def many_arms() -> Experiment:
    return experiment(plan())


def broken() -> Experiment:
    """One arm is wrong, one never answered, a start was disturbed and run again, one failed."""
    found = plan()
    disturbed = CellFacts("0002-brief", 0, ("brief",), disturbed=("the machine slept for 40 s",))
    began = cells(found, error=f"the server died: {HOSTILE}")
    return experiment(found, wrong="brief", missing="draft", cells=began, set_aside=(disturbed,))


def _experiment(found: Experiment) -> Document:
    return build_experiment(ExperimentContent("benches/2026-11-30T14-05-09-plan", found, ("A note.",)))


def _candidates() -> tuple[LeverCandidate, ...]:
    judged, same = ExpectedOutput.JUDGED, ExpectedOutput.SAME
    return (
        LeverCandidate(
            "brief",
            "answers in one sentence",
            "brief",
            judged,
            LeverPrediction(0.3, 0.2, 0.42, "half the tokens"),
        ),
        LeverCandidate(
            "tool-results=4000",
            f"shorter {HOSTILE}",
            "tool-results",
            judged,
            LeverPrediction(0.05, 0.01, 0.1),
        ),
        LeverCandidate("draft=/models/draft", "a draft model", "draft", same),
        LeverCandidate(
            "parallel-tools",
            "tools side by side",
            "parallel-tools",
            judged,
            LeverPrediction(0.01, 0.0, 0.012),
        ),
        LeverCandidate("adapter", "an adapter", "adapter", judged, None, "needs --lever adapter=…"),
    )


def _measured(stage: Stage, found: Experiment, levers: Sequence[LeverSet]) -> StageMeasurement:
    arms = {result.arm.levers: result for result in found.arms}
    return StageMeasurement(stage, found.plan.blocks, {one: _arm(found, arms[one]) for one in levers})


def _arm(found: Experiment, result: ArmResult) -> ArmMeasurement:
    blocks = _blocks(found, result.arm)
    typical = median(unit.part / unit.whole for unit in blocks)
    return ArmMeasurement(result.arm.levers, blocks, typical, result.gates)


def _blocks(found: Experiment, arm: Arm) -> tuple[RatioUnit, ...]:
    def total(one: Arm, block: int) -> float:
        return sum(observe(one, block, query).wall_ns for query in QUERIES)

    return tuple(RatioUnit(total(BASE, block), total(arm, block)) for block in range(found.plan.blocks))


def _improvement(baseline: RunContent, ending: ImprovementEnding) -> Document:
    """Up to a confirmation, a screening, or the baseline, as `ending` has it."""
    ranking = rank(_candidates())
    both = replace(BRIEF, name="brief+tool-results", levers=("brief", "tool-results=4000"))
    stages = {
        Stage.BASELINE: experiment(plan((BASE, AGAIN), blocks=2, stopping=StoppingRule())),
        Stage.SCREENING: experiment(
            plan((BASE, AGAIN, BRIEF, LIMITED, DRAFT), blocks=3, stopping=StoppingRule()),
            wrong="draft",
        ),
        Stage.COMBINATION: experiment(plan((BASE, both, BRIEF), blocks=3, stopping=StoppingRule())),
        Stage.CONFIRMATION: experiment(
            plan((BASE, AGAIN, both), blocks=4, stopping=StoppingRule()),
            wrong=both.name if ending is ImprovementEnding.NOTHING_HELPS else "",
        ),
    }
    far = {ImprovementEnding.BUDGET_SPENT: 1, ImprovementEnding.UNDECIDED: 2}.get(ending, 4)
    reached = {
        stage: replace(found, cells=cells(found.plan, after=100 * number))
        for number, (stage, found) in enumerate(list(stages.items())[:far])
    }
    levers: dict[Stage, tuple[LeverSet, ...]] = {
        Stage.BASELINE: (BASELINE,),
        Stage.SCREENING: (BRIEF.levers, LIMITED.levers, DRAFT.levers),
        Stage.COMBINATION: (both.levers, BRIEF.levers),
        Stage.CONFIRMATION: (both.levers,),
    }
    done = {stage: _measured(stage, found, levers[stage]) for stage, found in reached.items()}
    settings = ImproveSettings(
        improve_id="2026-11-30T14-05-09-mine",
        baseline=BASE,
        suite_name="mine",
        suite_hash="0123456789abcdef",
        queries=QUERIES,
        created="2026-11-30T14:05:09+01:00",
        target_ns=800 * 10**6,
        without=("no-stream",),
        machine={"chip": "M4"},
        versions={"mlx-lm": "0.32.0"},
    )
    state = ImprovementState(ranking, done)
    before = PredictionResult("brief", "brief", "2026-11-29", "m", "s", 0.3, 0.2, 0.4, 0.35, 0.3, 0.4)
    cause = Cause(CauseKind.TOOLS_ONE_AFTER_ANOTHER, 3, 4, 10**8, 2 * 10**8, tools=("grep", HOSTILE))
    return build_improvement(
        ImprovementContent(
            source="improvements/2026-11-30T14-05-09-mine",
            settings=settings,
            state=state,
            ending=ending,
            baseline=replace(baseline, causes=() if far == 1 else (cause,)),
            experiments=reached,
            history=(before, replace(before, measured=0.1, measured_low=0.05, measured_high=0.15)),
            notes=("A note.",),
        )
    )


def improvements(baseline: Callable[[], RunContent]) -> dict[str, Callable[[], Document]]:
    """Documents by their names; `baseline` makes the report of the queries as they were."""
    endings = {
        "empty": ImprovementEnding.BUDGET_SPENT,
        "one": ImprovementEnding.UNDECIDED,
        "many": ImprovementEnding.IMPROVED,
        "failed": ImprovementEnding.NOTHING_HELPS,
    }
    return {f"improvement {name}": partial(_with, baseline, ending) for name, ending in endings.items()}


def _with(baseline: Callable[[], RunContent], ending: ImprovementEnding) -> Document:
    return _improvement(baseline(), ending)


EXPERIMENTS: Final[Mapping[str, Callable[[], Document]]] = {
    "experiment empty": lambda: _experiment(unbegun()),
    "experiment one": lambda: _experiment(one_arm()),
    "experiment many": lambda: _experiment(many_arms()),
    "experiment failed": lambda: _experiment(broken()),
}
