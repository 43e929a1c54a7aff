"""The model server: what to start, starting and stopping it, attaching to one that runs.

Names are loaded when they are first used, so that importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from punie.trace.server.attach import AttachedServer
    from punie.trace.server.command import build_server_command
    from punie.trace.server.config import ServerConfig
    from punie.trace.server.memory import MemorySampler, MemoryUsage
    from punie.trace.server.memory_limit import MemoryLimit, recommended_limit
    from punie.trace.server.process import ServerProcess
    from punie.trace.server.protocol import Server

__all__ = [
    "AttachedServer",
    "MemoryLimit",
    "MemorySampler",
    "MemoryUsage",
    "Server",
    "ServerConfig",
    "ServerProcess",
    "build_server_command",
    "recommended_limit",
]

_HOMES = {
    "AttachedServer": "attach",
    "MemoryLimit": "memory_limit",
    "MemorySampler": "memory",
    "MemoryUsage": "memory",
    "Server": "protocol",
    "ServerConfig": "config",
    "ServerProcess": "process",
    "build_server_command": "command",
    "recommended_limit": "memory_limit",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attributes have no common type
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
