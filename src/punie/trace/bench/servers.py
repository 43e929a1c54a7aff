"""The server of a cell: mlx_lm.server, any program, or one that runs already."""

from __future__ import annotations

import os

from punie.trace.analysis.experiment.arms import PromptCache, ServerKind
from punie.trace.bench.plan import Cell
from punie.trace.demo.paths import target_model_path
from punie.trace.errors import ConfigError, UsageError
from punie.trace.server.address import ServerAddress
from punie.trace.server.config import KEY_VARIABLE, ServerConfig
from punie.trace.serving.model_server import UnstartedServer, our_server, program_server, running_server
from punie.trace.serving.traced_server import ServerTracing


def server_of(cell: Cell) -> UnstartedServer:
    """Raises ConfigError or UsageError for a server that can't be started or reached as it is described."""
    settings = cell.arms[0].server
    match settings.kind:
        case ServerKind.ATTACHED:
            return running_server(_address(cell), settings.model)
        case ServerKind.PROGRAM:
            return program_server(settings.program or "", settings.model)
        case ServerKind.MLX:
            config = server_config(cell)
            return our_server(config, str(config.model), ServerTracing(token_ids=True))


def server_config(cell: Cell) -> ServerConfig:
    """What mlx_lm.server is started with. Raises ConfigError."""
    settings = cell.arms[0].server
    drafted = [arm.request.num_draft_tokens for arm in cell.arms if arm.request.num_draft_tokens is not None]
    return ServerConfig(
        model=settings.model or target_model_path(),
        adapter_path=settings.adapter,
        draft_model=settings.draft,
        num_draft_tokens=max(drafted, default=None),
        prompt_cache_size=0 if settings.prompt_cache is PromptCache.OFF else None,
        prefill_step_size=settings.prefill_step_size,
    )


def _address(cell: Cell) -> ServerAddress:
    """Raises UsageError that names the arm."""
    settings = cell.arms[0].server
    name = settings.api_key_env
    if "@" in (settings.base_url or ""):
        raise UsageError(
            f"arm {cell.arms[0].name}: base_url has a user or a password, which the benchmark's files would keep",
            remedy="give a key in a variable (api_key_env), or a proxy that adds the password",
        )
    if name and not os.environ.get(name):
        raise UsageError(f"api_key_env: the variable {name} isn't set", remedy=f"export {name}=…")
    try:
        return ServerAddress.of(settings.base_url or "", api_key=os.environ.get(name or KEY_VARIABLE))
    except ConfigError as error:
        raise UsageError(f"arm {cell.arms[0].name}: {error.message}", remedy=error.remedy) from error
