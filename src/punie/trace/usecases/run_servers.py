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


@dataclass(frozen=True, slots=True)
class StartedServer:
    """A server of ours; `label` is the model's name for people."""

    config: ServerConfig
    label: str
    tracing: ServerTracing
    ready_timeout_s: float
    base_url: None = None

    @property
    def draft(self) -> str | None:
        """The draft model's name for people."""
        return Path(self.config.draft_model).name if self.config.draft_model else None

    @property
    def cache(self) -> str:
        """The arm of the prompt cache."""
        return "off" if self.config.prompt_cache_size == 0 else "server"

    def new(self, folder: RunFolder, _say: Callable[[str], object]) -> TracedServer:
        """A server that writes into `folder`."""
        files = ServerFiles(folder.spans_dir, folder.log_path)
        return TracedServer(self.config, files, self.tracing, ready_timeout_s=self.ready_timeout_s)


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server of somebody else's. `model` is the name to ask for, `settings` fields of every request."""

    address: ServerAddress
    model: str | None
    settings: Mapping[str, object]
    ready_timeout_s: float
    draft: None = None
    cache: str = "unknown"

    @property
    def base_url(self) -> str:
        """Its address, without credentials."""
        return self.address.base_url

    @property
    def label(self) -> str:
        """What people call it."""
        return self.model or self.base_url

    def new(self, _folder: RunFolder, say: Callable[[str], object]) -> AttachedServer:
        """The server; `say` hears that it is waited for."""
        return AttachedServer(
            self.address,
            model=self.model,
            ready_timeout_s=self.ready_timeout_s,
            settings=self.settings,
            say=say,
        )


@dataclass(frozen=True, slots=True)
class StartedProgram:
    """A program of the user's with a line for its command. `settings` are fields of every request."""

    line: str
    model: str | None
    settings: Mapping[str, object]
    ready_timeout_s: float
    base_url: None = None
    draft: None = None
    cache: str = "unknown"

    @property
    def label(self) -> str:
        """What people call it."""
        return self.model or Path(program_command(self.line)[0]).name

    def new(self, folder: RunFolder, _say: Callable[[str], object]) -> ProgramServer:
        """A server that logs into `folder`."""
        return ProgramServer(
            self.line,
            folder.log_path,
            model=self.model,
            settings=self.settings,
            ready_timeout_s=self.ready_timeout_s,
        )


RunServer = StartedServer | StartedProgram | RunningServer
