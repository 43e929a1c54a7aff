"""Another model folder, e.g. the same model with fewer bits."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from punie.trace.analysis.experiment.arms import Arm, ExpectedOutput
from punie.trace.bench.levers.applicability import own_server
from punie.trace.bench.levers.lever import Lever, Scope, TrialCost, must_be_named
from punie.trace.bench.levers.values import path

NAME: Final = "model"


def _apply(arm: Arm, value: str) -> Arm:
    return replace(arm, server=replace(arm.server, model=path(NAME, value)))


LEVER: Final = Lever(
    name=NAME,
    title="another model, e.g. with fewer bits",
    scope=Scope.SERVER,
    output=ExpectedOutput.JUDGED,
    apply=_apply,
    applies=own_server,
    propose=must_be_named,
    value="a folder",
    cost=TrialCost.OTHER_MODEL,
    unpredicted="what another model costs and says isn't known before it is asked",
)
