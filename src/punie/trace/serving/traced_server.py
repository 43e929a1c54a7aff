"""A model server of ours, whatever the verb: started, watched for memory and for its end, its requests traced."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from punie.trace import semconv
from punie.trace.server.command import build_server_command
from punie.trace.server.config import ServerConfig
from punie.trace.server.memory import MemorySampler
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
    """A `ServerProcess` that writes spans and whose memory is watched while it is entered."""

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
        self._sampler: MemorySampler | None = None
        self._until_stopped = ExitStack()

    def _build(self, config: ServerConfig, port: int) -> tuple[str, ...]:
        return (*build_server_command(config, port=port, hook=self._hook), *self._more_arguments)

    @property
    def ready_after_ns(self) -> int:
        """From the start of the process to its first token."""
        return self.ready_ns - self.started_ns

    def request_settings(self) -> dict[str, object]:
        """What each request has to carry."""
        return self.config.request_defaults()

    def why_not_traced(self) -> tuple[str, ...]:
        """The server's reasons for writing no spans; empty if it writes them."""
        return self.says(semconv.LOG_NOT_TRACED)

    def ignores_tools(self) -> bool:
        """Whether the server has logged that it can't give tools to the model."""
        return bool(self.says(semconv.LOG_TOOLS_IGNORED))

    def lost_spans(self) -> tuple[str, ...]:
        """The server's reasons for spans that it could not write."""
        return self.says(semconv.LOG_SPANS_LOST)

    def peak_memory_bytes(self) -> int | None:
        """The largest footprint of its processes so far, None before the first sample."""
        usage = self._sampler.usage() if self._sampler else None
        return usage.peak_bytes if usage and usage.samples else None

    async def start(self) -> None:
        """Start it, wait until it is ready, watch its memory."""
        await super().start()
        self._sampler = self._until_stopped.enter_context(MemorySampler(self.pid or 0))

    async def stop(self) -> None:
        """Stop it; what was seen of its memory stays known."""
        self._until_stopped.close()
        await super().stop()
