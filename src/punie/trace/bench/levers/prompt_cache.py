"""The server's prompt cache switched on: what was read in an earlier turn isn't read again."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from punie.trace.analysis.experiment.arms import Arm, ExpectedOutput, PromptCache
from punie.trace.bench.levers.applicability import own_server
from punie.trace.bench.levers.lever import Lever, Scope, once
from punie.trace.bench.levers.predictions import cache_hit


def _apply(arm: Arm, _value: str) -> Arm:
    return replace(arm, server=replace(arm.server, prompt_cache=PromptCache.SERVER))


def _applies(arm: Arm) -> str:
    if why_not := own_server(arm):
        return why_not
    if arm.server.draft is not None:
        return "with a draft model mlx_lm loses a token of the context when it takes tokens from the cache"
    return "" if arm.server.prompt_cache is PromptCache.OFF else "the prompt cache is on already"


LEVER: Final = Lever(
    name="prompt-cache",
    title="the server's prompt cache on",
    scope=Scope.SERVER,
    output=ExpectedOutput.SAME,
    apply=_apply,
    applies=_applies,
    propose=once,
    predict=cache_hit,
)
