"""Where does a local agent's time go? Spans, an exact ledger, and a verdict.

The public names, each loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from punie.trace.analysis.pipeline import read_queries
    from punie.trace.analysis.summary.summary import analyse
    from punie.trace.server.command import build_server_command
    from punie.trace.server.config import ServerConfig
    from punie.trace.server.process import ServerProcess
    from punie.trace.telemetry.instrument import instrument, uninstrument

__all__ = [
    "ServerConfig",
    "ServerProcess",
    "analyse",
    "build_server_command",
    "instrument",
    "read_queries",
    "uninstrument",
]

_HOMES = {
    "ServerConfig": "server.config",
    "ServerProcess": "server.process",
    "analyse": "analysis.summary.summary",
    "build_server_command": "server.command",
    "instrument": "telemetry.instrument",
    "read_queries": "analysis.pipeline",
    "uninstrument": "telemetry.instrument",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 # a module's attributes have no common type
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
