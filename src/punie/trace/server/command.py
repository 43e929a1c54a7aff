"""The command line that starts a server."""

from __future__ import annotations

import json
import sys

from punie.trace.safely import SAFELY
from punie.trace.server.config import ServerConfig


def build_server_command(
    config: ServerConfig, *, port: int, python: str = sys.executable, hook: str | None = None
) -> tuple[str, ...]:
    """The program and its arguments: our launcher, then the arguments of `mlx_lm.server`.

    Pure. `port` is the one to listen on (`config.port` may be 0, which the server doesn't know). `hook` is the
    `MODULE:FUNCTION` that the launcher calls before the server starts; None runs the server plain.
    """
    hook_args = () if hook is None else ("--hook", hook)
    return (
        python,
        SAFELY,
        "-m",
        "punie.trace.server.launcher",
        *hook_args,
        "--",
        *server_arguments(config, port=port),
    )


def server_arguments(config: ServerConfig, *, port: int) -> tuple[str, ...]:
    """The arguments of `mlx_lm.server` for `config`."""
    flags: dict[str, object] = {
        "--model": config.model,
        "--host": config.host,
        "--port": port,
        "--adapter-path": config.adapter_path,
        "--temp": config.temperature,
        "--top-p": config.top_p,
        "--max-tokens": config.max_tokens,
        "--chat-template-args": _template_args(config),
        "--draft-model": config.draft_model,
        "--num-draft-tokens": config.num_draft_tokens,
        "--prompt-cache-size": config.prompt_cache_size,
        "--prefill-step-size": config.prefill_step_size,
    }
    return tuple(part for flag, value in flags.items() if value is not None for part in (flag, str(value)))


def _template_args(config: ServerConfig) -> str | None:
    if not config.chat_template_args:
        return None
    return json.dumps(dict(config.chat_template_args), sort_keys=True, allow_nan=False)
