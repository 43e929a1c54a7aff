"""`serve`: run mlx_lm.server with spans of its own, for any client that sends trace context."""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace import semconv
from punie.trace.commands.options import add_server
from punie.trace.errors import ExitCode, ExportError
from punie.trace.store.runs.server_log import SERVER_LOG

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from punie.trace.server import ServerConfig, ServerProcess

HELP: Final = "run mlx_lm.server with spans from inside it"
DESCRIPTION: Final = (
    "Runs the unmodified mlx_lm.server until Ctrl-C and writes a span for each request, with queue, template, "
    "prefill, decode and parse under it. A request that carries a traceparent header joins its sender's trace: "
    "point any client that OpenTelemetry instruments at it. If the header says that its trace is not recorded "
    "(flags 00, as of clients that sample), there are no spans of that request. "
    "Arguments after -- go to mlx_lm.server as they are: -- --log-level DEBUG, say."
)
DEFAULT_PORT: Final = 8080
_DEMO: Final = "the demo model knows the prompts of `punie-trace run`, and answers others with nonsense"
_POLL_S: Final = 0.2
_POLLS_PER_LOOK: Final = 25  # into the log: every 5 s


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `serve`."""
    add_server(parser, port=DEFAULT_PORT)
    group = parser.add_argument_group("spans")
    group.add_argument(
        "--spans-dir",
        type=Path,
        default=Path("spans"),
        metavar="DIR",
        help="spans and log (default: %(default)s)",
    )
    group.add_argument("--otlp", metavar="URL", help="send spans here as well, e.g. http://127.0.0.1:4318")
    group.add_argument("--no-export", action="store_true", help="send nothing, whatever the environment says")
    # mlx_lm's spans carry no prompt and no answer, so there is nothing to choose.
    parser.set_defaults(send_content=False)
    parser.add_argument(
        "server_arguments",
        nargs="*",
        metavar="-- ARGUMENT",
        help="for mlx_lm.server; not what a flag here sets",
    )


def execute(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM. Raises ServerError if the server doesn't start or dies.

    Raises KeyboardInterrupt if such a signal comes before it is ready.
    """
    from punie.trace.commands.progress import ConsoleProgress
    from punie.trace.commands.settings import refuse_own_flags, server_config, server_warnings
    from punie.trace.commands.shipping import read_sending

    refuse_own_flags(options)
    sending = read_sending(options)
    config = server_config(options)
    process = _process(options, config)
    progress = ConsoleProgress(0)
    for line in server_warnings(config):
        progress.say(line)
    try:
        options.spans_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(
            f"--spans-dir {options.spans_dir}: can't be made: {error.strerror or error}",
            remedy="Choose a directory that you may write to.",
        ) from error
    with sending.following(options.spans_dir, progress):
        was_ready = asyncio.run(
            _serve(process, lambda: progress.say(_greeting(options, process)), progress.say)
        )
    if not was_ready:
        raise KeyboardInterrupt("the server wasn't ready yet")
    if lost := process.says(semconv.LOG_SPANS_LOST):
        raise ExportError(_lost(lost), remedy=f"See {options.spans_dir / SERVER_LOG}")
    return int(ExitCode.OK)


def _lost(lines: Sequence[str]) -> str:
    return f"spans of the server could not be written: {lines[-1]}"


async def _serve(process: ServerProcess, say_ready: Callable[[], None], say: Callable[[str], None]) -> bool:
    """Until a signal; whether the server was ready when it came."""
    ready = False
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if task is not None:
            loop.add_signal_handler(number, task.cancel)
    try:
        async with process:
            ready = True
            say_ready()
            lost: tuple[str, ...] = ()
            for poll in count(1):
                process.raise_if_dead()
                if (
                    not lost
                    and poll % _POLLS_PER_LOOK == 0
                    and (lost := process.says(semconv.LOG_SPANS_LOST))
                ):
                    say(_lost(lost))
                await asyncio.sleep(_POLL_S)
    except asyncio.CancelledError:
        pass  # asked to end, by the signals above
    return ready


def _process(options: argparse.Namespace, config: ServerConfig) -> ServerProcess:
    from punie.trace.server import ServerProcess
    from punie.trace.telemetry.mlx.hook import HOOK, SPANS_VARIABLE

    return ServerProcess(
        config,
        options.spans_dir / SERVER_LOG,
        ready_timeout_s=options.ready_timeout,
        env=os.environ | {SPANS_VARIABLE: str(options.spans_dir.absolute())},
        build_command=partial(
            _command, hook=None if options.plain_server else HOOK, more=tuple(options.server_arguments)
        ),
    )


def _command(config: ServerConfig, port: int, *, hook: str | None, more: Sequence[str]) -> Sequence[str]:
    from punie.trace.server import build_server_command

    return (*build_server_command(config, port=port, hook=hook), *more)


def _greeting(options: argparse.Namespace, process: ServerProcess) -> str:
    spans = "no spans (--plain-server)" if options.plain_server else f"spans in {options.spans_dir}"
    if untraced := process.says(semconv.LOG_NOT_TRACED):
        spans = f"no spans ({untraced[-1]})"
    greeting = (
        f"serving {process.base_url} as {process.model_name}: {spans}, "
        f"log in {options.spans_dir / SERVER_LOG}"
    )
    return greeting if options.model else f"{greeting}\n{_DEMO}"
