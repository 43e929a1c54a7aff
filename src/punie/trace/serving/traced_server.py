"""A model server of ours, whatever the verb: started, watched for memory and for its end, its requests traced."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from punie.trace import semconv
from punie.trace.server.command import build_server_command
from punie.trace.server.config import ServerConfig
from punie.trace.server.process import ServerProcess
from punie.trace.telemetry.mlx.hook import HOOK, SPANS_VARIABLE, TOKENS_VARIABLE


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """Where a server writes: its spans into a folder, both its outputs to a file."""

    spans_dir: Path
    log: Path


@dataclass(frozen=True, slots=True)
class ServerTracing:
    """`spans`: with spans from inside the server; `token_ids`: with every token's id on them."""

    spans: bool = True
    token_ids: bool = False


class TracedServer(ServerProcess):
    """A `ServerProcess` that writes spans."""

    def __init__(
        self,
        config: ServerConfig,
        files: ServerFiles,
        tracing: ServerTracing = ServerTracing(),
        *,
        ready_timeout_s: float,
        more_arguments: tuple[str, ...] = (),
    ) -> None:
        environment = {SPANS_VARIABLE: str(files.spans_dir.absolute())}
        if tracing.token_ids:
            environment[TOKENS_VARIABLE] = "1"
        super().__init__(
            config,
            files.log,
            ready_timeout_s=ready_timeout_s,
            env=os.environ | environment,
            build_command=self._build,
        )
        self._hook = HOOK if tracing.spans else None
        self._more_arguments = more_arguments

    def _build(self, config: ServerConfig, port: int) -> tuple[str, ...]:
        return (*build_server_command(config, port=port, hook=self._hook), *self._more_arguments)

    def request_settings(self) -> dict[str, object]:
        """What each request has to carry."""
        return self.config.request_defaults()

    def why_not_traced(self) -> tuple[str, ...]:
        """The server's reasons for writing no spans; empty if it writes them."""
        return self.log_entries(semconv.LOG_NOT_TRACED)

    def ignores_tools(self) -> bool:
        """Whether the server has logged that it can't give tools to the model."""
        return bool(self.log_entries(semconv.LOG_TOOLS_IGNORED))

    def lost_spans(self) -> tuple[str, ...]:
        """The server's reasons for spans that it could not write."""
        return self.log_entries(semconv.LOG_SPANS_LOST)
