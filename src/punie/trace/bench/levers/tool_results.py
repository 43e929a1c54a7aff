"""Results of tools cut to a budget before the model reads them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from punie.trace.analysis.experiment.arms import Arm, ExpectedOutput
from punie.trace.bench.levers.applicability import anywhere
from punie.trace.bench.levers.lever import Evidence, Lever, Scope
from punie.trace.bench.levers.predictions import shorter_results
from punie.trace.bench.levers.values import whole

NAME: Final = "tool-results"


def _apply(arm: Arm, value: str) -> Arm:
    return replace(arm, agent=replace(arm.agent, tool_result_characters=whole(NAME, value)))


def _propose(evidence: Evidence) -> tuple[str, ...]:
    """Where tools were called: budgets below the present one, and below the longest result that was seen."""
    if not any(record.tool_calls for record in evidence.records):
        return ()
    present = evidence.arm.agent.tool_result_characters
    longest = max((len(read.result.text) for read in evidence.reads), default=None)
    now = min((size for size in (present, longest) if size is not None), default=None)
    return tuple(str(budget) for budget in (4000, 1000) if now is None or budget < now)


LEVER: Final = Lever(
    name=NAME,
    title="results of tools cut to a budget",
    scope=Scope.AGENT,
    output=ExpectedOutput.JUDGED,
    apply=_apply,
    applies=anywhere,
    propose=_propose,
    value="characters",
    predict=shorter_results,
)
