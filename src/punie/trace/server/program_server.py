"""A model server that is any program, with an OpenAI-compatible API on the port that it is given."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import httpx

from punie.trace.errors import ConfigError
from punie.trace.safely import SAFELY
from punie.trace.server import probe
from punie.trace.server.memory import MemorySampler
from punie.trace.server.process import ListeningProcess

PORT: Final = "{port}"
_LOADING_S: Final = 0.5
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


def program_command(line: str) -> tuple[str, ...]:
    """The words of a command line with `{port}` in it. Raises ConfigError with the field `program`."""
    try:
        words = tuple(shlex.split(line))
    except ValueError as error:
        raise ConfigError("program", f"can't be split into words: {error}") from error
    if not any(PORT in word for word in words):
        raise ConfigError(
            "program",
            f"{PORT} is missing in {line!r}",
            remedy=f"Write {PORT} where the port goes, e.g. --port {PORT}.",
        )
    if shutil.which(words[0]) is None:
        raise ConfigError(
            "program", f"{words[0]} is no program that can be run", remedy="Check its path, or PATH."
        )
    return words


class ProgramServer(ListeningProcess):
    """The program of a command line, started without a shell under a launcher of ours, so that it ends with us.

    It is reached at `http://127.0.0.1:PORT/v1` and is ready when it has completed one token; an answer that says
    "loading" is waited for. Without `model` it is asked which one it serves. `settings` are fields of every request.
    Its memory is that of all processes that it started. Raises as `ListeningProcess`, ConfigError for a command line
    that can't be run.
    """

    def __init__(
        self,
        line: str,
        log_path: Path,
        *,
        model: str | None,
        ready_timeout_s: float,
        settings: Mapping[str, object] = _NOTHING,
        stop_grace_s: float = 8.0,
    ) -> None:
        super().__init__(
            log_path,
            host="127.0.0.1",
            port=0,
            ready_timeout_s=ready_timeout_s,
            stop_grace_s=stop_grace_s,
            env=None,
        )
        self._words = program_command(line)
        self._model = model
        self._settings = settings

    @property
    def model_name(self) -> str:
        """The model as given or found; known once it is ready."""
        if self._model is None:
            raise RuntimeError("the model's name is known once the server is ready")
        return self._model

    def request_settings(self) -> dict[str, object]:
        """What each request has to carry."""
        return dict(self._settings)

    def _command(self, port: int) -> Sequence[str]:
        words = (word.replace(PORT, str(port)) for word in self._words)
        return (sys.executable, SAFELY, "-m", "punie.trace.server.program_launcher", *words)

    def _memory_sampler(self, pid: int) -> MemorySampler:
        return MemorySampler(pid, with_root=False)

    async def _until_one_token(self, client: httpx.AsyncClient) -> None:
        while True:
            try:
                if self._model is None:
                    listed = await probe.until_answered(lambda: probe.list_models(client))
                    self._model = listed.only("the server", remedy="Name one with model = …")
                return await probe.until_one_token(client, self._model)
            except probe.UnexpectedAnswer as answer:
                if not answer.is_loading:
                    raise
                await asyncio.sleep(_LOADING_S)
