"""The ways of a run to its model server: to start ours or a program of the user's, or to attach to one that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from punie.trace.server.address import ServerAddress
from punie.trace.server.attach import AttachedServer
from punie.trace.server.config import ServerConfig
from punie.trace.server.program import ProgramServer, program_command
from punie.trace.serving.traced_server import ServerFiles, ServerTracing, TracedServer
from punie.trace.store.runs.run_folder import RunFolder

ModelServer = TracedServer | ProgramServer | AttachedServer
Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class RunServer:
    """A server that isn't started yet: `new` makes it, which writes into a folder and says what it waits for.

    `label` is what people call it, `draft` their name for its draft model, `cache` the arm of the prompt cache.
    `base_url` is set, without credentials, if it runs already; `is_ours` if it is an mlx_lm.server that we start.
    """

    label: str
    new: Callable[[RunFolder, Say], ModelServer]
    base_url: str | None = None
    draft: str | None = None
    cache: str = "unknown"
    is_ours: bool = False


def started_server(
    config: ServerConfig, label: str, tracing: ServerTracing, ready_timeout_s: float
) -> RunServer:
    """An mlx_lm.server of ours."""

    def new(folder: RunFolder, _: Say) -> TracedServer:
        files = ServerFiles(folder.spans_dir, folder.log_path)
        return TracedServer(config, files, tracing, ready_timeout_s=ready_timeout_s)

    draft = Path(config.draft_model).name if config.draft_model else None
    cache = "off" if config.prompt_cache_size == 0 else "server"
    return RunServer(label, new, draft=draft, cache=cache, is_ours=True)


def started_program(
    line: str, model: str | None, settings: Mapping[str, object], ready_timeout_s: float
) -> RunServer:
    """A program of the user's with a line for its command. `settings` are fields of every request."""

    def new(folder: RunFolder, _: Say) -> ProgramServer:
        return ProgramServer(
            line, folder.log_path, model=model, settings=settings, ready_timeout_s=ready_timeout_s
        )

    return RunServer(model or Path(program_command(line)[0]).name, new)


def running_server(
    address: ServerAddress, model: str | None, settings: Mapping[str, object], ready_timeout_s: float
) -> RunServer:
    """A server of somebody else's. `model` is the name to ask for, `settings` fields of every request."""

    def new(_: RunFolder, say: Say) -> AttachedServer:
        return AttachedServer(
            address, model=model, settings=settings, ready_timeout_s=ready_timeout_s, say=say
        )

    return RunServer(model or address.base_url, new, base_url=address.base_url)
