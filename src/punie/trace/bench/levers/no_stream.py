"""Whole answers instead of streams: fewer, larger messages between server and agent."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from punie.trace.analysis.experiment.arms import Arm, ExpectedOutput
from punie.trace.bench.levers.lever import Lever, Scope, once


def _apply(arm: Arm, _value: str) -> Arm:
    return replace(arm, agent=replace(arm.agent, stream=False))


def _applies(arm: Arm) -> str:
    return "" if arm.agent.stream else "answers aren't streamed already"


LEVER: Final = Lever(
    name="no-stream",
    title="whole answers instead of streams",
    scope=Scope.AGENT,
    output=ExpectedOutput.SAME,
    apply=_apply,
    applies=_applies,
    propose=once,
    unpredicted="spans don't show what the pieces of a stream cost client and server",
)
