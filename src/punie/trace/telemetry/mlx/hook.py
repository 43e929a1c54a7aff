"""What the launcher calls before `mlx_lm.server` starts: spans on, unless we don't support its version."""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from importlib.metadata import version
from types import ModuleType
from typing import Final

from opentelemetry.trace import Tracer

from punie.trace import semconv
from punie.trace.errors import UsageError
from punie.trace.telemetry.clock import wall_clock_ns
from punie.trace.telemetry.journal.journal import Journal
from punie.trace.telemetry.journal.processor import JournalSpanProcessor
from punie.trace.telemetry.journal.spans import JournalTracerProvider
from punie.trace.telemetry.mlx.attributes import Memory
from punie.trace.telemetry.mlx.contract import find_mismatches
from punie.trace.telemetry.mlx.recorder import MemoryProbe, Recorder
from punie.trace.telemetry.mlx.request import SpanSink
from punie.trace.telemetry.mlx.server import listen
from punie.trace.telemetry.mlx.writer import BackgroundWriter
from punie.trace.telemetry.resource import process_resource

HOOK: Final = f"{__name__}:install"
"""The launcher's `--hook`."""

SPANS_VARIABLE: Final = "PUNIE_TRACE_SPANS"
"""The environment variable that names the directory of the server's journal."""

TOKENS_VARIABLE: Final = "PUNIE_TRACE_TOKENS"
"""The environment variable that, set to anything, puts token ids onto the server's spans."""

SCOPE: Final = "punie.trace.mlx_server"

DRAIN_S: Final = 2.0
"""How long the server's end waits for spans that are still being written."""

_logger: Final = logging.getLogger(__name__)


def install(cleanup: ExitStack) -> None:
    """Make `mlx_lm.server` write its spans to the directory that `PUNIE_TRACE_SPANS` names.

    If this version of mlx_lm isn't one that we support, logs what differs and leaves the server as it is.
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
        _log_plain(mismatches)
        return
    journal = Journal(directory, semconv.SERVICE_SERVER)
    journal.open()
    writer = BackgroundWriter(on_error=journal.count_loss)
    recorder = Recorder(
        SpanSink(_tracer(journal), wall_clock_ns, writer.note, writer.submit), memory_probe(server)
    )
    listen(server, recorder, keep_tokens=bool(os.environ.get(TOKENS_VARIABLE)))
    cleanup.callback(journal.sync)
    cleanup.callback(journal.settle)  # what the disk did not take until now is reported as lost
    cleanup.callback(end_writer, writer, journal)
    cleanup.callback(recorder.finish_all, InterruptedError("the server was stopped"))


def end_writer(writer: BackgroundWriter, journal: Journal, within_s: float = DRAIN_S) -> None:
    """Let `writer` come to its end; if it takes longer than `within_s`, that is a loss, and logged."""
    if not writer.drain(within_s):
        journal.count_loss(f"{journal.path}: not all was written within {within_s} s of the server's end")


def _tracer(journal: Journal) -> Tracer:
    resource = process_resource(semconv.SERVICE_SERVER, version("mlx-lm"))
    provider = JournalTracerProvider(resource, JournalSpanProcessor(journal), sampled_only=True)
    return provider.get_tracer(SCOPE, version("punie-trace"), semconv.SCHEMA_URL)


def memory_probe(server: ModuleType) -> MemoryProbe:
    """Asks the allocator that the server computes with, and the operating system about this process."""
    import psutil

    from punie.trace.footprint import footprint_reader

    process = psutil.Process()
    _, read_footprint = footprint_reader()
    return MemoryProbe(
        read=lambda: Memory(server.mx.get_peak_memory(), server.mx.get_active_memory()),
        reset_peak=server.mx.reset_peak_memory,
        footprint_bytes=lambda: read_footprint(process),
    )


def _log_plain(mismatches: tuple[str, ...]) -> None:
    # A logger of our own: the functions of `logging` itself would configure it before the server does.
    _logger.warning(
        "%s mlx_lm %s is not a version that we support: %s",
        semconv.LOG_NOT_TRACED,
        version("mlx-lm"),
        "; ".join(mismatches),
    )
