"""An instruction to be brief, added to the agent's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from punie.trace.analysis.experiment.arms import Arm, ExpectedOutput
from punie.trace.bench.levers.instructions import not_instructed, with_instruction
from punie.trace.bench.levers.lever import Lever, Scope, once
from punie.trace.bench.levers.predictions import shorter_output

INSTRUCTION: Final = (
    "Be brief: answer in as few words as the question needs, without introduction or summary."
)


def _apply(arm: Arm, _value: str) -> Arm:
    return replace(arm, agent=with_instruction(arm.agent, INSTRUCTION))


LEVER: Final = Lever(
    name="brief",
    title="an instruction to be brief",
    scope=Scope.AGENT,
    output=ExpectedOutput.JUDGED,
    apply=_apply,
    applies=not_instructed(INSTRUCTION),
    propose=once,
    predict=shorter_output,
)
