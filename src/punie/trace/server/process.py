"""A model server of our own: started, waited for, watched for memory and for its end, stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from punie.trace.errors import ServerError
from punie.trace.server import diagnosis, probe
from punie.trace.server.address import ServerAddress
from punie.trace.server.child import POLL_S, Child
from punie.trace.server.command import build_server_command
from punie.trace.server.config import DEFAULT_MODEL, ServerConfig
from punie.trace.server.log import ServerLog
from punie.trace.server.memory import MemorySampler
from punie.trace.server.port import listening_port, url

HEALTH_TIMEOUT_S: Final = 10.0
_SETTLE_S: Final = 0.2
_SETTLE_LOOKS: Final = 10
_PORT_RETRIES: Final = 2
_FOREGROUND: Final = (
    "One that goes to the background ends so: keep it in the foreground, or attach with --base-url."
)

CommandBuilder = Callable[[ServerConfig, int], Sequence[str]]


def plain_command(config: ServerConfig, port: int) -> tuple[str, ...]:
    """The unmodified server under our launcher."""
    return build_server_command(config, port=port)


class ListeningProcess:
    """A `Server` in a process of ours that lives as long as its `async with`; subclasses say what is started.

    Both outputs of the process are appended to `log_path`. It is ready when it has completed one token: its health
    page and its port answer before the model is loaded. `ready_timeout_s` bounds that, downloads included;
    `stop_grace_s` is what SIGTERM gets before SIGKILL. `env` replaces the environment. `port` 0 takes a free one.

    Entering, `check` and `raise_if_dead` raise `ServerError` with the end of the log. An object may be entered
    again after it was left. No server outlives our process: see `launcher`.
    """

    def __init__(
        self,
        log_path: Path,
        *,
        host: str,
        port: int,
        ready_timeout_s: float,
        stop_grace_s: float,
        env: Mapping[str, str] | None,
    ) -> None:
        self._host = host
        self._wanted_port = port
        self._log = ServerLog(log_path)
        self._ready_timeout_s = ready_timeout_s
        self._stop_grace_s = stop_grace_s
        self._env = env
        self._child: Child | None = None
        self._sampler: MemorySampler | None = None
        self._until_stopped = ExitStack()
        self._port = port
        self.command: tuple[str, ...] = ()
        """What was started last; empty before."""
        self.started_ns = 0
        """When the process was started, nanoseconds since the epoch; 0 before."""
        self.ready_ns = 0
        """When the first token was there; 0 before."""

    @property
    def base_url(self) -> str:
        """`http://HOST:PORT/v1`; the port is known once it was started."""
        return url(self._host, self._port)

    @property
    def address(self) -> ServerAddress:
        """How it is reached."""
        return ServerAddress(self.base_url)

    @property
    def model_name(self) -> str:
        """The model's name in requests."""
        raise NotImplementedError

    def _command(self, port: int) -> Sequence[str]:
        """The program and its arguments that listen on `port`."""
        raise NotImplementedError

    async def _until_one_token(self, client: httpx.AsyncClient) -> None:
        """Until the server has completed one token. Raises `probe.UnexpectedAnswer` for an answer that says no."""
        await probe.until_one_token(client, self.model_name)

    @property
    def pid(self) -> int | None:
        """The server's process, None while none runs."""
        return None if self._child is None else self._child.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start it and wait until it is ready; nothing is left behind if that fails or is cancelled."""
        if self._child is not None:
            raise RuntimeError("this server is started already")
        for _ in range(_PORT_RETRIES):
            try:
                await self._start_once()
            except ServerError as error:
                if self._wanted_port != 0 or diagnosis.ADDRESS_IN_USE not in error.log_tail:
                    raise
            else:
                return
        await self._start_once()

    @property
    def ready_after_ns(self) -> int:
        """From the start of the process to its first token."""
        return self.ready_ns - self.started_ns

    def peak_memory_bytes(self) -> int | None:
        """The largest footprint of its processes so far, None before the first sample."""
        usage = self._sampler.usage() if self._sampler else None
        return usage.peak_bytes if usage and usage.samples else None

    def _memory_sampler(self, pid: int) -> MemorySampler:
        return MemorySampler(pid)

    async def _start_once(self) -> None:
        self._port = listening_port(self._host, self._wanted_port)
        self.command = tuple(self._command(self._port))
        self.ready_ns = 0
        self._log = _open_log(self._log.path)
        self.started_ns = time.time_ns()
        self._child = _start_child(self.command, log=self._log.path, env=self._env)
        try:
            await self._until_ready()
        except BaseException:
            await self.stop()
            raise
        self.ready_ns = time.time_ns()
        self._sampler = self._until_stopped.enter_context(self._memory_sampler(self._child.pid))

    async def _until_ready(self) -> None:
        try:
            async with asyncio.timeout(self._ready_timeout_s) as limit:
                await self._watch_first_token(limit)
        except TimeoutError:
            raise self._failure(
                f"the server wasn't ready after {self._ready_timeout_s:g} s",
                otherwise="If the log shows progress, allow more with --ready-timeout.",
            ) from None
        except probe.UnexpectedAnswer as answer:
            await self._raise_if_thread_died()
            raise self._failure(f"the server refused to complete one token: {answer}") from answer

    async def _watch_first_token(self, limit: asyncio.Timeout) -> None:
        """Until it is there; `limit` begins anew while a model is being downloaded."""
        async with probe.open_client(self.address, timeout_s=None) as client:
            size = 0
            first_token = asyncio.create_task(self._until_one_token(client))
            try:
                while not first_token.done():
                    self.raise_if_dead()
                    await asyncio.wait({first_token}, timeout=POLL_S)
                    before, size = size, self._log.size_bytes()
                    if size > before and diagnosis.is_downloading(self._log.tail()):
                        limit.reschedule(asyncio.get_running_loop().time() + self._ready_timeout_s)
            finally:
                first_token.cancel()
                await asyncio.gather(first_token, return_exceptions=True)
            first_token.result()

    def log_entries(self, marker: str) -> tuple[str, ...]:
        """What it has written to its log behind `marker`, since it was started last."""
        return self._log.behind(marker)

    async def check(self) -> None:
        """Raise `ServerError` if the process ended, its generation thread died, or it doesn't answer.

        After the thread's death the server answers each request with 404, which clients take for a missing model:
        call this before believing them.
        """
        self.raise_if_dead()
        try:
            healthy = await probe.is_healthy(self.address, timeout_s=HEALTH_TIMEOUT_S)
        except httpx.TransportError as error:
            self.raise_if_dead()
            raise self._failure(f"the server doesn't answer: {error!r}") from error
        if not healthy:
            await self._raise_if_thread_died()
            raise self._failure("the server reports that it isn't healthy")

    def raise_if_dead(self) -> None:
        """Raise `ServerError` if the process has ended or was never started."""
        if self._child is None:
            raise ServerError("the server isn't running", remedy="Start it before using it.")
        code = self._child.exit_code()
        if code is not None:
            raise self._failure(
                f"the server {diagnosis.describe_exit(code)}",
                otherwise=_FOREGROUND if code == 0 else "See the end of its log.",
            )

    async def _raise_if_thread_died(self) -> None:
        quoted = await self._find_settled(diagnosis.THREAD_DIED)
        if quoted:
            raise self._failure(
                f"the server's generation thread died: {diagnosis.death_line(quoted)}", log_text=quoted
            )

    async def _find_settled(self, marker: str) -> str:
        """What the log says from `marker` on, once it has stopped growing: the traceback comes after its first line."""
        quoted = self._log.find(marker)
        for _ in range(_SETTLE_LOOKS if quoted else 0):
            await asyncio.sleep(_SETTLE_S)
            before, quoted = quoted, self._log.find(marker)
            if quoted == before:
                break
        return quoted

    def _failure(
        self, message: str, *, log_text: str = "", otherwise: str = "See the end of its log."
    ) -> ServerError:
        text = log_text or self._log.tail()
        cause = diagnosis.find_cause(text)
        return ServerError(
            f"{message}: {cause.sentence}" if cause else message,
            log_tail=text,
            remedy=f"{cause.remedy if cause else otherwise} Log: {self._log.path}",
            is_explained=cause is not None,
        )

    async def stop(self) -> None:
        """Stop it: SIGTERM, then SIGKILL. It is gone when this ends, cancelled or not; may be called again.

        What was seen of its memory stays known.
        """
        self._until_stopped.close()
        child, self._child = self._child, None
        if child is not None:
            await child.stop(self._stop_grace_s)


class ServerProcess(ListeningProcess):
    """An `mlx_lm.server` as `config` describes it; `build_command` says what to start on a port."""

    def __init__(
        self,
        config: ServerConfig,
        log_path: Path,
        *,
        ready_timeout_s: float = 300.0,
        stop_grace_s: float = 5.0,
        env: Mapping[str, str] | None = None,
        build_command: CommandBuilder = plain_command,
    ) -> None:
        super().__init__(
            log_path,
            host=config.host,
            port=config.port,
            ready_timeout_s=ready_timeout_s,
            stop_grace_s=stop_grace_s,
            env=env,
        )
        self.config = config
        self._build_command = build_command

    @property
    def model_name(self) -> str:
        """The name that stands for the model, its adapter and its draft as configured."""
        return DEFAULT_MODEL

    def _command(self, port: int) -> Sequence[str]:
        return self._build_command(self.config, port)


def _open_log(path: Path) -> ServerLog:
    """The log from its present end on: an earlier start's errors are not this one's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return ServerLog(path, start=path.stat().st_size if path.exists() else 0)


def _start_child(command: Sequence[str], *, log: Path, env: Mapping[str, str] | None) -> Child:
    try:
        return Child.start(command, log=log, env=env)
    except OSError as error:
        raise ServerError(f"the server can't be started: {error}", remedy=f"Check {command[0]}.") from error
