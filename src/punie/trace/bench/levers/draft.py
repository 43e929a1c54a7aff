"""A draft model: `draft=PATH` with the server's own number of drafted tokens, `draft=PATH,3` with three a step."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from punie.trace.analysis.experiment.arms import Arm, ExpectedOutput, PromptCache
from punie.trace.bench.levers.applicability import own_server
from punie.trace.bench.levers.lever import Evidence, Lever, Scope, TrialCost
from punie.trace.bench.levers.predictions import faster_decode
from punie.trace.bench.levers.values import path, whole
from punie.trace.bench.options import DEMO
from punie.trace.demo.paths import draft_model_path, target_model_path

NAME: Final = "draft"


def _apply(arm: Arm, value: str) -> Arm:
    """With the prompt cache off: mlx_lm 0.32 corrupts the context of drafts with it."""
    place, _, k = value.partition(",")
    draft = str(draft_model_path()) if place == DEMO else path(NAME, place)
    return replace(
        arm,
        server=replace(arm.server, draft=draft, prompt_cache=PromptCache.OFF),
        request=replace(arm.request, num_draft_tokens=whole(NAME, k) if k else None),
    )


def _applies(arm: Arm) -> str:
    return own_server(arm) or ("it has a draft model already" if arm.server.draft else "")


def _propose(evidence: Evidence) -> tuple[str, ...]:
    """The demo model's draft; others have to be named, since nobody knows which ones are there."""
    is_demo = evidence.arm.server.model in (None, str(target_model_path()))
    return tuple(f"{DEMO},{k}" for k in (2, 3)) if is_demo else ()


LEVER: Final = Lever(
    name=NAME,
    title="a draft model",
    scope=Scope.SERVER,
    output=ExpectedOutput.SAME,
    apply=_apply,
    applies=_applies,
    propose=_propose,
    value="a model, and after a comma the tokens drafted a step",
    cost=TrialCost.OTHER_MODEL,
    predict=faster_decode,
    not_with=("prompt-cache",),
)
