"""A LoRA adapter for the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from punie.trace.analysis.experiment.arms import Arm, ExpectedOutput
from punie.trace.bench.levers.applicability import own_server
from punie.trace.bench.levers.lever import Lever, Scope, TrialCost, must_be_named
from punie.trace.bench.levers.values import path

NAME: Final = "adapter"


def _apply(arm: Arm, value: str) -> Arm:
    return replace(arm, server=replace(arm.server, adapter=path(NAME, value)))


LEVER: Final = Lever(
    name=NAME,
    title="an adapter",
    scope=Scope.SERVER,
    output=ExpectedOutput.JUDGED,
    apply=_apply,
    applies=own_server,
    propose=must_be_named,
    value="a folder",
    cost=TrialCost.OTHER_MODEL,
    unpredicted="what another adapter costs and says isn't known before it is asked",
)
