"""The default agent, and how any agent is pointed at the server under test."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from punie.trace.bounded_get import PLAIN
from punie.trace.errors import WorkloadError
from punie.trace.server.address import MAX_COMPLETION_TOKENS
from punie.trace.workload.bounded_answers import bounding
from punie.trace.workload.subject import Subject
from punie.trace.workload.tools.tools import WorkspaceTools

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_ai.models import Model
    from pydantic_ai.profiles import ModelProfile

    from punie.trace.server.address import ServerAddress

INSTRUCTIONS: Final = (
    "You answer questions about the Django project in the current directory. "
    "Search it with run_command, read files with read_file, and answer general questions directly."
)
AGENT_NAME: Final = "assistant"
READ_ONLY: Final = "read_only"
"""The key of a tool's metadata that declares it: `Tool(search, metadata={"read_only": True})`."""


def default_subject(workspace: Path) -> Subject:
    """An agent with `run_command` and `read_file` over `workspace` and no model of its own.

    Raises WorkloadError where its tools can't be confined.
    """
    from pydantic_ai import Agent, Tool

    if os.name != "posix":
        raise WorkloadError(
            "the default agent's tools can't be confined on this system",
            remedy="name your own agent with --agent",
        )
    tools = WorkspaceTools(workspace)
    declared = {READ_ONLY: True}
    agent = Agent(
        name=AGENT_NAME,
        instructions=INSTRUCTIONS,
        tools=[Tool(tool, metadata=declared) for tool in (tools.run_command, tools.read_file)],
        defer_model_check=True,
    )
    return Subject(agent)


def server_model(
    address: ServerAddress, model_name: str, request_settings: Mapping[str, Any], *, timeout_s: float
) -> Model:
    """The model behind an OpenAI-compatible server, reached as the probe reaches it.

    The client library's own retries are off: they would hide failed attempts and their waits inside one
    model request. Only what met the closing of a kept connection is sent again.
    `request_settings` are fields of every request.
    """
    import openai
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIChatModelSettings
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    from punie.trace.workload.kept_connections import SendingAgain

    client = openai.AsyncOpenAI(
        base_url=address.base_url,
        api_key="not-needed",  # the library insists on one; the address's own wins
        default_headers={**address.headers, **PLAIN},
        max_retries=0,
        timeout=timeout_s,
        http_client=SendingAgain(
            timeout=timeout_s,
            event_hooks={"response": [bounding(address.hidden), _hide_key(address)]},
            **address.client_arguments(),
        ),
    )
    return OpenAIChatModel(
        model_name,
        provider=OpenAICompatibleProvider("mlx_lm", openai_client=client),
        profile=partial(_with_limit, address.token_limit),
        settings=OpenAIChatModelSettings(**request_settings),  # type: ignore[typeddict-item] # by name
    )


def _hide_key(address: ServerAddress) -> Callable[[Any], Awaitable[None]]:
    """Of a refusal that quotes the key, what is read on is without it: it would go into errors and spans."""

    async def hide(response: Any) -> None:  # noqa: ANN401 # of httpx or of httpx2
        if response.is_error:
            body = address.hidden((await response.aread()).decode("utf-8", "replace"))
            response._content = body.encode()  # noqa: SLF001 # there is no other way to change what was read

    return hide


def _with_limit(name: str, profile: ModelProfile) -> ModelProfile:
    """The limit is sent under the name that the server takes: PydanticAI's choice goes by the model's name."""
    from pydantic_ai.profiles import merge_profile
    from pydantic_ai.profiles.openai import OpenAIModelProfile

    is_newer = name == MAX_COMPLETION_TOKENS
    return merge_profile(profile, OpenAIModelProfile(openai_chat_supports_max_completion_tokens=is_newer))
