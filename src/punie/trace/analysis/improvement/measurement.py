"""From what was asked in a stage to what the planner looks at: times paired by block, and gates."""

from __future__ import annotations

from punie.trace.analysis.experiment.arms import PromptCache
from punie.trace.analysis.experiment.measured import Measured
from punie.trace.analysis.experiment.pairing import comparable, pair, wall_ns
from punie.trace.analysis.experiment.results import ArmResult, analyse
from punie.trace.analysis.experiment.speedup import block_units, typical_speed_up
from punie.trace.analysis.improvement.model import ArmMeasurement, Stage, StageMeasurement


def measure(stage: Stage, measured: Measured) -> StageMeasurement:
    """What the stage came to so far: blocks that some arm hasn't finished are left out, whole."""
    experiment = analyse(measured)
    arms = {
        result.arm.levers: _arm(measured, result, experiment.ended.blocks) for result in experiment.others
    }
    return StageMeasurement(stage, experiment.ended.blocks, arms)


def _arm(measured: Measured, result: ArmResult, finished: int) -> ArmMeasurement:
    """Of the first `finished` blocks."""
    plan = measured.plan
    seen = [one for one in measured.observations if one.block < finished]
    cached = frozenset(one.name for one in plan.arms if one.server.prompt_cache is PromptCache.SERVER)
    pairs = pair(comparable(seen, cached), (plan.baseline, result.arm.name), wall_ns).pairs
    units = block_units(pairs)
    blocks = tuple(units[block] for block in sorted(units))
    return ArmMeasurement(result.arm.levers, blocks, typical_speed_up(pairs), result.gates)
