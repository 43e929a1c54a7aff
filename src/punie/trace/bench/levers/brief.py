"""An instruction to be brief, added to the agent's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from punie.trace.analysis.experiment.arms import Arm, ExpectedOutput
from punie.trace.bench.levers.instructions import with_instruction
from punie.trace.bench.levers.lever import Evidence, Lever, Scope
from punie.trace.bench.levers.predictions import shorter_output

INSTRUCTION: Final = (
    "Be brief: answer in as few words as the question needs, without introduction or summary."
)


def _apply(arm: Arm, _value: str) -> Arm:
    return replace(arm, agent=with_instruction(arm.agent, INSTRUCTION))


def _applies(arm: Arm) -> str:
    return "it is instructed so already" if INSTRUCTION in arm.agent.instruction else ""


def _propose(_evidence: Evidence) -> tuple[str, ...]:
    return ("",)


LEVER: Final = Lever(
    name="brief",
    title="an instruction to be brief",
    scope=Scope.AGENT,
    output=ExpectedOutput.JUDGED,
    apply=_apply,
    applies=_applies,
    propose=_propose,
    predict=shorter_output,
)
