"""From what was asked in a stage to what the planner looks at: times paired by block, and gates."""

from __future__ import annotations

from punie.trace.analysis.experiment.arms import Arm, PromptCache
from punie.trace.analysis.experiment.measured import Measured
from punie.trace.analysis.experiment.pairing import comparable, pair, wall_ns
from punie.trace.analysis.experiment.results import analyse
from punie.trace.analysis.improvement.model import ArmMeasurement, Stage, StageMeasurement
from punie.trace.analysis.statistics.ratio import RatioUnit


def measure(stage: Stage, measured: Measured) -> StageMeasurement:
    """What the stage came to so far: blocks that some arm hasn't finished are left out, whole."""
    found = analyse(measured)
    arms = {
        result.arm.levers: ArmMeasurement(
            result.arm.levers, _blocks(measured, result.arm, found.ended.blocks), result.gates
        )
        for result in found.others
    }
    return StageMeasurement(stage, found.ended.blocks, arms)


def _blocks(measured: Measured, arm: Arm, finished: int) -> tuple[RatioUnit, ...]:
    """Part: the baseline's time in a block. Whole: the arm's, over the queries that both answered."""
    plan = measured.plan
    seen = [one for one in measured.observations if one.block < finished]
    cached = frozenset(one.name for one in plan.arms if one.server.prompt_cache is PromptCache.SERVER)
    blocks: dict[int, tuple[float, float]] = {}
    for item in pair(comparable(seen, cached), (plan.baseline, arm.name), wall_ns).pairs:
        before, now = blocks.get(item.block, (0.0, 0.0))
        blocks[item.block] = before + item.values[0], now + item.values[1]
    return tuple(RatioUnit(*blocks[block]) for block in sorted(blocks))
