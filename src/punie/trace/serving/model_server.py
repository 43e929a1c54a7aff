"""The ways to a model server: to start ours or a program of the user's, or to attach to one that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from punie.trace.server.address import ServerAddress
from punie.trace.server.attached_server import AttachedServer
from punie.trace.server.config import ServerConfig
from punie.trace.server.program_server import ProgramServer, program_command
from punie.trace.serving.traced_server import ServerFiles, ServerTracing, TracedServer

ModelServer = TracedServer | ProgramServer | AttachedServer
Log = Callable[[str], object]
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class UnstartedServer:
    """A server that isn't started yet.

    `new` makes it from the files that it writes, the seconds that it may take to be ready, and a log for waiting.
    `label` is what people call it, `draft` their name for its draft model, `cache` the arm of the prompt cache.
    `base_url` is set, without credentials, if it runs already; `is_ours` if it is an mlx_lm.server that we start.
    """

    label: str
    new: Callable[[ServerFiles, float, Log], ModelServer]
    base_url: str | None = None
    draft: str | None = None
    cache: str = "unknown"
    is_ours: bool = False


def our_server(config: ServerConfig, label: str, tracing: ServerTracing) -> UnstartedServer:
    """An mlx_lm.server of ours."""

    def new(files: ServerFiles, ready_timeout_s: float, _: Log) -> TracedServer:
        return TracedServer(config, files, tracing, ready_timeout_s=ready_timeout_s)

    draft = Path(config.draft_model).name if config.draft_model else None
    cache = "off" if config.prompt_cache_size == 0 else "server"
    return UnstartedServer(label, new, draft=draft, cache=cache, is_ours=True)


def program_server(
    line: str, model: str | None, settings: Mapping[str, object] = _NOTHING
) -> UnstartedServer:
    """A program of the user's with a line for its command. `settings` are fields of every request.

    Raises ConfigError for a line that can't be run.
    """
    words = program_command(line)

    def new(files: ServerFiles, ready_timeout_s: float, _: Log) -> ProgramServer:
        return ProgramServer(line, files.log, model=model, settings=settings, ready_timeout_s=ready_timeout_s)

    return UnstartedServer(model or Path(words[0]).name, new)


def running_server(
    address: ServerAddress, model: str | None, settings: Mapping[str, object] = _NOTHING
) -> UnstartedServer:
    """A server of somebody else's. `model` is the name to ask for, `settings` fields of every request."""

    def new(_: ServerFiles, ready_timeout_s: float, log: Log) -> AttachedServer:
        return AttachedServer(
            address, model=model, settings=settings, ready_timeout_s=ready_timeout_s, log=log
        )

    return UnstartedServer(model or address.base_url, new, base_url=address.base_url)
