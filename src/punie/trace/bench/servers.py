"""The server of a cell: mlx_lm.server, any program, or one that runs already."""

from __future__ import annotations

import os

from punie.trace.analysis.experiment.arms import PromptCache, ServerKind
from punie.trace.bench.plan import Cell
from punie.trace.demo.paths import target_model_path
from punie.trace.errors import ConfigError, UsageError
from punie.trace.server.address import ServerAddress
from punie.trace.server.attach import AttachedServer
from punie.trace.server.config import KEY_VARIABLE, ServerConfig
from punie.trace.server.program import ProgramServer, program_command
from punie.trace.serving.traced_server import ServerFiles, ServerTracing, TracedServer
from punie.trace.store.runs.run_folder import RunFolder

CellServer = TracedServer | ProgramServer | AttachedServer


def server_of(cell: Cell, folder: RunFolder, *, ready_timeout_s: float) -> CellServer:
    """The server of `cell`, not started; it writes into `folder`. Raises ConfigError or UsageError."""
    settings = cell.arms[0].server
    match settings.kind:
        case ServerKind.ATTACHED:
            return AttachedServer(_address(cell), model=settings.model, ready_timeout_s=ready_timeout_s)
        case ServerKind.PROGRAM:
            return ProgramServer(
                settings.program or "", folder.log_path, model=settings.model, ready_timeout_s=ready_timeout_s
            )
        case ServerKind.MLX:
            files = ServerFiles(folder.spans_dir, folder.log_path)
            tracing = ServerTracing(token_ids=True)
            return TracedServer(server_config(cell), files, tracing, ready_timeout_s=ready_timeout_s)


def check_server(cell: Cell) -> None:
    """Raises ConfigError or UsageError for a server that can't be started or reached as it is described."""
    settings = cell.arms[0].server
    match settings.kind:
        case ServerKind.ATTACHED:
            _address(cell)
        case ServerKind.PROGRAM:
            program_command(settings.program or "")
        case ServerKind.MLX:
            server_config(cell)


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
