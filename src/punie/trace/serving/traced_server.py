"""A model server of ours, whatever the verb: started, watched for memory and for its end, its requests traced."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from punie.trace import semconv
from punie.trace.server.command import build_server_command
from punie.trace.server.config import ServerConfig
from punie.trace.server.endpoint import Endpoint
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


class TracedServer:
    """A `Server` that lives as long as its `async with`; it may be entered again. Raises as `ServerProcess`."""

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
        self.config = config
        self._hook = HOOK if tracing.spans else None
        self._more_arguments = more_arguments
        self._until_left = AsyncExitStack()
        self._sampler: MemorySampler | None = None
        self.process = ServerProcess(
            config,
            files.log,
            ready_timeout_s=ready_timeout_s,
            env=os.environ | environment,
            build_command=self._command,
        )

    def _command(self, config: ServerConfig, port: int) -> tuple[str, ...]:
        return (*build_server_command(config, port=port, hook=self._hook), *self._more_arguments)

    @property
    def base_url(self) -> str:
        """Where an OpenAI client points."""
        return self.process.base_url

    @property
    def endpoint(self) -> Endpoint:
        """How it is reached."""
        return self.process.endpoint

    @property
    def model_name(self) -> str:
        """The model to name in each request."""
        return self.process.model_name

    @property
    def pid(self) -> int | None:
        """The server's process."""
        return self.process.pid

    @property
    def command(self) -> tuple[str, ...]:
        """What was started."""
        return self.process.command

    @property
    def ready_after_ns(self) -> int:
        """From the start of the process to its first token."""
        return self.process.ready_ns - self.process.started_ns

    def request_settings(self) -> dict[str, object]:
        """What each request has to carry."""
        return self.config.request_defaults()

    def why_not_traced(self) -> tuple[str, ...]:
        """The server's reasons for writing no spans; empty if it writes them."""
        return self.process.says(semconv.LOG_NOT_TRACED)

    def lost_spans(self) -> tuple[str, ...]:
        """The server's reasons for spans that it could not write."""
        return self.process.says(semconv.LOG_SPANS_LOST)

    def peak_memory_bytes(self) -> int | None:
        """The largest footprint of its processes so far, None before the first sample."""
        usage = self._sampler.usage() if self._sampler else None
        return usage.peak_bytes if usage and usage.samples else None

    def raise_if_dead(self) -> None:
        """Raise `ServerError` if its process has ended."""
        self.process.raise_if_dead()

    async def check(self) -> None:
        """Raise `ServerError` if it can't answer any more."""
        await self.process.check()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.process)
            self._sampler = stack.enter_context(MemorySampler(self.process.pid or 0))
            self._until_left = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        await self._until_left.__aexit__(kind, error, trace)
