"""The loop of an improvement: ask the planner what comes next, have it measured, until it ends.

A `StageExecutor` measures: real servers, or a simulation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from punie.trace.analysis.improvement.model import (
    Budget,
    ImprovementEnding,
    Stage,
    StageMeasurement,
    StagePlan,
)
from punie.trace.analysis.improvement.planner import ImprovementState, next_step, without_unaffordable
from punie.trace.analysis.improvement.ranking import Ranking


class StageExecutor(Protocol):
    """Measures one stage."""

    async def measure(self, plan: StagePlan) -> StageMeasurement:
        """Run the blocks of `plan` that aren't there yet; everything that its stage measured so far."""

    def budget(self) -> Budget:
        """How much time there is, how much of it is spent, what one more cell is likely to take."""


Begin = Callable[[StageMeasurement], ImprovementState]
"""Makes what is to be tried of the baseline's measurements: its costs are what predictions rest on."""


async def improve(executor: StageExecutor, begin: Begin) -> tuple[ImprovementState, ImprovementEnding]:
    """Measure until it ends. Raises what the executor raises; what is measured by then is its to keep."""
    state = ImprovementState(Ranking((), ()), {})
    while isinstance(step := next_step(state, executor.budget()), StagePlan):
        if step.stage is Stage.SCREENING and state.planned is None:
            planned = tuple(levers[0] for levers in step.arms)
            state = replace(state, planned=planned, ranking=without_unaffordable(state.ranking, planned))
        measured = await executor.measure(step)
        if step.stage is Stage.BASELINE and Stage.BASELINE not in state.done:
            state = begin(measured)
        state = replace(state, done={**state.done, step.stage: measured})
    return state, step
