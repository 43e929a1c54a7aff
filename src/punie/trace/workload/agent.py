"""The default agent, and how any agent is pointed at the server under test."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from punie.trace.errors import WorkloadError
from punie.trace.workload.tools.tools import WorkspaceTools

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_ai import Agent
    from pydantic_ai.models import Model

INSTRUCTIONS: Final = (
    "You answer questions about the Django project in the current directory. "
    "Search it with run_command, read files with read_file, and answer general questions directly."
)
AGENT_NAME: Final = "assistant"


def default_agent(workspace: Path) -> Agent[None, str]:
    """An agent with `run_command` and `read_file` over `workspace` and no model of its own."""
    from pydantic_ai import Agent

    tools = WorkspaceTools(workspace)
    return Agent(
        name=AGENT_NAME,
        instructions=INSTRUCTIONS,
        tools=[tools.run_command, tools.read_file],
        defer_model_check=True,
    )


def load_agent(reference: str) -> Agent[Any, Any]:
    """The user's agent at `module:attribute`; the working directory is importable, as with `python -m`.

    Raises `WorkloadError` that names the flag, the module and the attribute.
    """
    from pydantic_ai import Agent

    module_name, separator, attribute = reference.partition(":")
    if not (module_name and separator and attribute):
        raise WorkloadError(
            f"--agent {reference}: expected module:attribute", remedy="e.g. --agent myapp.agents:agent"
        )
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise WorkloadError(f"--agent {reference}: can't import {module_name}: {error}") from error
    agent = getattr(module, attribute, None)
    if not isinstance(agent, Agent):
        found = "no such attribute" if agent is None else f"a {type(agent).__name__}"
        raise WorkloadError(f"--agent {reference}: {attribute} is {found}, not a pydantic_ai.Agent")
    return agent


def server_model(
    base_url: str, model_name: str, request_defaults: Mapping[str, Any], *, timeout_s: float
) -> Model:
    """The model behind an OpenAI-compatible server at `base_url` (which ends in `/v1`).

    The client library's own retries are off: they would hide failed attempts and their waits inside one
    model request. `request_defaults` are request fields that a server has no flag for.
    """
    import openai
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIChatModelSettings
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    client = openai.AsyncOpenAI(base_url=base_url, api_key="not-needed", max_retries=0, timeout=timeout_s)
    settings = OpenAIChatModelSettings(**request_defaults)  # type: ignore[typeddict-item] # keys come from ServerConfig
    return OpenAIChatModel(
        model_name, provider=OpenAICompatibleProvider("mlx_lm", openai_client=client), settings=settings
    )
