"""What the launcher calls before `mlx_lm.server` starts: spans on, or the server plain if it isn't what we know."""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from importlib.metadata import version
from types import ModuleType
from typing import Final

from punie.trace import semconv
from punie.trace.errors import UsageError
from punie.trace.telemetry.mlx_attributes import Memory
from punie.trace.telemetry.mlx_recorder import MemoryProbe, Recorder
from punie.trace.telemetry.mlx_request import SpanSink
from punie.trace.telemetry.mlx_server import find_mismatches, listen
from punie.trace.telemetry.mlx_writer import BackgroundWriter

HOOK: Final = f"{__name__}:install"
"""The launcher's `--hook`."""

SPANS_VARIABLE: Final = "PUNIE_TRACE_SPANS"
"""The environment variable that names the directory of the server's journal."""

DRAIN_S: Final = 2.0
"""How long the server's end waits for spans that are still being written."""

_logger: Final = logging.getLogger(__name__)


def install(cleanup: ExitStack) -> None:
    """Make `mlx_lm.server` write its spans to the directory that `PUNIE_TRACE_SPANS` names.

    If this version of mlx_lm isn't what we know, says what differs and leaves the server as it is.
    Raises `UsageError` without the variable, `ExportError` if the directory can't be written.
    """
    from mlx_lm import server

    directory = os.environ.get(SPANS_VARIABLE)
    if not directory:
        raise UsageError(
            f"{SPANS_VARIABLE} is not set", remedy="set it to the directory for the server's spans"
        )
    trace_server(server, directory, cleanup)


def trace_server(server: ModuleType, directory: str, cleanup: ExitStack) -> None:
    """As `install`, for the module `mlx_lm.server` or what stands for it."""
    mismatches = find_mismatches(server)
    if mismatches:
        _say_plain(mismatches)
        return
    from punie.trace.telemetry.provider import configure  # logfire takes a second to import

    telemetry = configure(directory, semconv.SERVICE_SERVER)
    writer = BackgroundWriter()
    recorder = Recorder(SpanSink(telemetry.tracer, telemetry.clock, writer.submit), memory_probe(server))
    listen(server, recorder)
    cleanup.callback(telemetry.sync)
    cleanup.callback(writer.drain, DRAIN_S)
    cleanup.callback(recorder.finish_all, InterruptedError("the server was stopped"))


def memory_probe(server: ModuleType) -> MemoryProbe:
    """Asks the allocator that the server computes with, and the operating system about this process."""
    import psutil

    process = psutil.Process()
    return MemoryProbe(
        read=lambda: Memory(server.mx.get_peak_memory(), server.mx.get_active_memory()),
        reset_peak=server.mx.reset_peak_memory,
        footprint_bytes=lambda: int(process.memory_info().rss),
    )


def _say_plain(mismatches: tuple[str, ...]) -> None:
    # A logger of our own: the functions of `logging` itself would configure it before the server does.
    _logger.warning(
        "mlx_lm %s differs from what we know, so the server runs without spans: %s",
        version("mlx-lm"),
        "; ".join(mismatches),
    )
