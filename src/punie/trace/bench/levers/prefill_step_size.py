"""More tokens of a prompt read at a time: fewer passes, more memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from punie.trace.analysis.experiment.arms import Arm, ExpectedOutput
from punie.trace.bench.levers.applicability import own_server
from punie.trace.bench.levers.lever import Evidence, Lever, Scope
from punie.trace.bench.levers.predictions import faster_prefill
from punie.trace.bench.levers.values import whole

NAME: Final = "prefill-step-size"
SERVERS_OWN: Final = 2048
"""What mlx_lm 0.32 takes by itself."""


def _apply(arm: Arm, value: str) -> Arm:
    return replace(arm, server=replace(arm.server, prefill_step_size=whole(NAME, value)))


def _propose(evidence: Evidence) -> tuple[str, ...]:
    """Larger steps, where a prompt is longer than one."""
    present = evidence.arm.server.prefill_step_size or SERVERS_OWN
    longest = max((record.input_tokens or 0 for record in evidence.records), default=0)
    return tuple(str(step) for step in (4096, 8192) if step > present and longest > present)


LEVER: Final = Lever(
    name=NAME,
    title="larger steps in reading prompts",
    scope=Scope.SERVER,
    output=ExpectedOutput.SAME,
    apply=_apply,
    applies=own_server,
    propose=_propose,
    value="tokens",
    predict=faster_prefill,
)
