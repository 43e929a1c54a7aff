"""A sentence that a lever adds to an agent's instructions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from punie.trace.analysis.experiment.arms import AgentSettings, Arm


def with_instruction(agent: AgentSettings, sentence: str) -> AgentSettings:
    """The agent with `sentence` behind what was added before."""
    return replace(agent, instruction="\n".join(filter(None, (agent.instruction, sentence))))


def not_instructed(sentence: str) -> Callable[[Arm], str]:
    """Applies where the agent isn't given `sentence` yet."""
    return lambda arm: "it is instructed so already" if sentence in arm.agent.instruction else ""
