"""What an experiment compares: arms, each a whole configuration of server, requests and agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from punie.trace.analysis.experiment.size import DEFAULT_MAX_TOKENS


class PromptCache(StrEnum):
    """The prompt cache of an arm: as the server has it, or switched off (`--prompt-cache-size 0`)."""

    SERVER = "server"
    OFF = "off"


class ServerKind(StrEnum):
    """How an arm is served: by mlx_lm.server started by us, any other program started by us, or a running server."""

    MLX = "mlx_lm"
    PROGRAM = "program"
    ATTACHED = "attached"


class ExpectedOutput(StrEnum):
    """What an arm's answers should be: the baseline's token for token, or others that the suite has to judge."""

    SAME = "same"
    JUDGED = "judged"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The server of an arm. None leaves a setting to the server.

    model: a folder or ORG/NAME; of a program or a running server its name in requests, None asks the server.
    program: a command line with `{port}` in it, split as a shell splits it and run without one.
    base_url: a running server; `api_key_env` names the variable with its key.
    adapter, draft, prompt_cache, prefill_step_size: for mlx_lm.server alone.
    """

    model: str | None = None
    program: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    adapter: str | None = None
    draft: str | None = None
    prompt_cache: PromptCache = PromptCache.SERVER
    prefill_step_size: int | None = None

    @property
    def kind(self) -> ServerKind:
        """How it is served."""
        if self.base_url is not None:
            return ServerKind.ATTACHED
        return ServerKind.MLX if self.program is None else ServerKind.PROGRAM


@dataclass(frozen=True, slots=True)
class RequestSettings:
    """What every request of an arm says beside its messages. None leaves a field out.

    num_draft_tokens: tokens that the draft proposes in a step.
    template_args: arguments of the chat template, sent as `chat_template_kwargs`.
    """

    max_tokens: int | None = DEFAULT_MAX_TOKENS
    temperature: float | None = 0.0
    top_p: float | None = None
    seed: int | None = None
    num_draft_tokens: int | None = None
    parallel_tool_calls: bool | None = None
    template_args: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """The agent of an arm.

    agent: MODULE:ATTRIBUTE, None for the default agent, whose tools see `workspace`.
    instruction: is added to the agent's own instructions.
    tool_result_characters: longer results of tools are cut to so many.
    stream: whether answers are asked for as a stream.
    replay: a recording that tools answer from, in place of running.
    """

    agent: str | None = None
    workspace: str | None = None
    instruction: str = ""
    tool_result_characters: int | None = None
    stream: bool = True
    replay: str | None = None


@dataclass(frozen=True, slots=True)
class Arm:
    """One configuration under which the queries are asked.

    name: letters, digits, `_.-`; part of a folder's name.
    suite: a suite with the baseline's query ids, None for the plan's.
    levers: the names of the levers that made it of the baseline, e.g. `("brief", "max-tokens=300")`.
    output: what its answers should be against the baseline's.
    group: arms of one group share a server start; "" is a start of its own.
    """

    name: str
    server: ServerSettings = field(default_factory=ServerSettings)
    request: RequestSettings = field(default_factory=RequestSettings)
    agent: AgentSettings = field(default_factory=AgentSettings)
    suite: str | None = None
    levers: tuple[str, ...] = ()
    output: ExpectedOutput = ExpectedOutput.JUDGED
    group: str = ""
