"""Several tools in one turn: asked for by an instruction, and by the request's field for servers that read it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from punie.trace.analysis.experiment.arms import Arm, ExpectedOutput
from punie.trace.bench.levers.instructions import not_instructed, with_instruction
from punie.trace.bench.levers.lever import Evidence, Lever, Scope
from punie.trace.bench.levers.predictions import tools_together

INSTRUCTION: Final = (
    "If you need several tools whose calls don't depend on each other, call them all in one turn."
)


def _apply(arm: Arm, _value: str) -> Arm:
    # mlx_lm.server doesn't read the field: there the instruction alone does it
    return replace(
        arm,
        agent=with_instruction(arm.agent, INSTRUCTION),
        request=replace(arm.request, parallel_tool_calls=True),
    )


def _propose(evidence: Evidence) -> tuple[str, ...]:
    """Where a query called several tools."""
    return ("",) if any(record.tool_calls > 1 for record in evidence.records) else ()


LEVER: Final = Lever(
    name="parallel-tools",
    title="tools called in one turn",
    scope=Scope.AGENT,
    output=ExpectedOutput.JUDGED,
    apply=_apply,
    applies=not_instructed(INSTRUCTION),
    propose=_propose,
    predict=tools_together,
)
