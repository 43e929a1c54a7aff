"""Adding a sentence to an agent's instructions."""

from __future__ import annotations

from dataclasses import replace

from punie.trace.analysis.experiment.arms import AgentSettings


def with_instruction(agent: AgentSettings, sentence: str) -> AgentSettings:
    """The agent with `sentence` behind what was added before."""
    return replace(agent, instruction="\n".join(filter(None, (agent.instruction, sentence))))
