"""A program that makes spans, has trouble half way, and ends well or ill: by our journal or by OpenTelemetry's SDK.

Each runs in a process of its own, forked from one that has imported what it needs and has no threads: an import for
each would take longer than all else.
"""

from __future__ import annotations

import atexit
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing import get_context
from pathlib import Path
from typing import Final

CONTEXT: Final = get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "__main__",
        "traced_program",
        "opentelemetry.exporter.otlp.proto.http.trace_exporter",
        "punie.trace.commands.ship",
        "punie.trace.telemetry.mlx.writer",
        "punie.trace.telemetry.provider",
        "punie.trace.telemetry.shipping.shipper",
        "punie.trace.usecases.sending",
    ]
)
_SLOW_DISK_S: Final = 0.005


class Writer(StrEnum):
    """Who takes the spans. `SERVER` is our journal behind the thread that writes the model server's spans."""

    OURS = "punie-trace"
    SDK = "OpenTelemetry's SDK"
    SERVER = "punie-trace's model server"


class End(StrEnum):
    """How the program ends."""

    NORMAL = "normal"
    SIGKILL = "kill -9"
    SIGTERM = "SIGTERM"
    EXIT = "os._exit"


class Trouble(StrEnum):
    """What happens after half of the spans."""

    NONE = "none"
    FORK = "a child makes the other half"
    DISK_FULL = "the disk is full"
    DISK_SLOW = "each write takes 5 ms, each sync half a second"
    JOURNAL_REMOVED = "the journal is removed"
    JOURNAL_CUT = "the journal is cut in its middle"
    CLOCK_SET_BACK = "the wall clock is set back by an hour"


@dataclass(frozen=True)
class Program:
    """`spans` in `lasts_s` seconds."""

    spans: int = 1000
    lasts_s: float = 0.0
    trouble: Trouble = Trouble.NONE
    end: End = End.NORMAL


MakeSpan = Callable[[int], None]


def run(program: Program, writer: Writer, run_folder: Path, environ: Mapping[str, str], said: Path) -> None:
    """To be called in a process of its own; what it prints is added to the file `said`."""
    _become(environ, said)
    with _WRITERS[writer](run_folder / "spans") as make_span:
        _make(range(program.spans // 2), program, make_span)
        _second_half(program, run_folder / "spans", make_span)
        _end(program.end)
    atexit._run_exitfuncs()  # noqa: SLF001 # multiprocessing ends its processes without them


def ship(run_folder: Path, environ: Mapping[str, str], said: Path) -> None:
    """The command, to be called in a process of its own."""
    from punie.trace.__main__ import main

    _become(environ, said)
    sys.exit(main(["ship", str(run_folder)]))


def _become(environ: Mapping[str, str], said: Path) -> None:
    os.environ.update(environ)
    with said.open("a") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())


@contextmanager
def _ours(spans: Path) -> Iterator[MakeSpan]:
    """As `run` and `serve` do it."""
    from punie.trace.console.progress import Progress
    from punie.trace.telemetry.provider import configure
    from punie.trace.usecases.sending import find_receivers

    telemetry = configure(spans)
    with find_receivers(None, content=False).following(spans, Progress(), state_folder=spans.parent):
        yield lambda number: telemetry.tracer.start_span("work", attributes={"number": number}).end()
        telemetry.sync()
        telemetry.shutdown()


@contextmanager
def _sdk(_: Path) -> Iterator[MakeSpan]:
    """As its documentation does it."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer = provider.get_tracer("program")
    yield lambda number: tracer.start_span("work", attributes={"number": number}).end()
    provider.shutdown()


@contextmanager
def _server(spans: Path) -> Iterator[MakeSpan]:
    """As the model server does it."""
    from punie.trace.telemetry.mlx.writer import LOOK_S, BackgroundWriter
    from punie.trace.telemetry.provider import configure

    telemetry = configure(spans)
    writer = BackgroundWriter(print)
    yield lambda _: writer.note(lambda _: telemetry.tracer.start_span("work").end())
    writer.drain(LOOK_S * 100)
    telemetry.shutdown()


_WRITERS: Final = {Writer.OURS: _ours, Writer.SDK: _sdk, Writer.SERVER: _server}


def _make(numbers: range, program: Program, make_span: MakeSpan) -> None:
    pause_s = program.lasts_s / program.spans
    began_s = time.monotonic()
    for done, number in enumerate(numbers):
        make_span(number)
        if pause_s:
            time.sleep(max(began_s + (done + 1) * pause_s - time.monotonic(), 0.0))


def _second_half(program: Program, spans: Path, make_span: MakeSpan) -> None:
    numbers = range(program.spans // 2, program.spans)
    if program.trouble is Trouble.FORK:
        _in_child(lambda: _make(numbers, program, make_span))
    else:
        _TROUBLES[program.trouble](spans)
        _make(numbers, program, make_span)


def _in_child(make: Callable[[], None]) -> None:
    child = os.fork()
    if child == 0:
        make()
        os._exit(0)
    os.waitpid(child, 0)


def _remove_journals(spans: Path) -> None:
    for path in spans.glob("*.jsonl"):
        path.unlink()


def _cut_journals(spans: Path) -> None:
    for path in spans.glob("*.jsonl"):
        os.truncate(path, path.stat().st_size // 2)


def _fill_disk(spans: Path) -> None:
    """No file may grow any more: as a full disk, and needs no root."""
    largest = max((path.stat().st_size for path in spans.glob("*.jsonl")), default=0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def _slow_disk(_: Path) -> None:
    write, fsync = os.write, os.fsync

    def slow_write(descriptor: int, data: bytes) -> int:
        time.sleep(_SLOW_DISK_S)
        return write(descriptor, data)

    def slow_fsync(descriptor: int) -> None:
        time.sleep(_SLOW_DISK_S * 100)
        fsync(descriptor)

    os.write, os.fsync = slow_write, slow_fsync  # type: ignore[assignment] # as far as we call them


def _set_clock_back(_: Path) -> None:
    real = time.time_ns
    time.time_ns = lambda: real() - 3600 * 10**9


_TROUBLES: Final[Mapping[Trouble, Callable[[Path], None]]] = {
    Trouble.NONE: lambda _: None,
    Trouble.JOURNAL_REMOVED: _remove_journals,
    Trouble.JOURNAL_CUT: _cut_journals,
    Trouble.DISK_FULL: _fill_disk,
    Trouble.DISK_SLOW: _slow_disk,
    Trouble.CLOCK_SET_BACK: _set_clock_back,
}


def _end(end: End) -> None:
    match end:
        case End.SIGKILL:
            os.kill(os.getpid(), signal.SIGKILL)
        case End.SIGTERM:
            os.kill(os.getpid(), signal.SIGTERM)
        case End.EXIT:
            os._exit(0)
        case End.NORMAL:
            return
