"""`serve`: run mlx_lm.server with spans of its own, for any client that sends trace context."""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.commands.configured import config_flag, read_config, with_config
from punie.trace.commands.options import ReceiverOptions
from punie.trace.commands.server_options import ServerOptions
from punie.trace.errors import ExitCode, ExportError, UsageError
from punie.trace.options import argument, flag, group, path, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from punie.trace.analysis.experiment.configuration import Configuration
    from punie.trace.serving.traced_server import TracedServer

HELP: Final = "run mlx_lm.server with spans from inside it"
DESCRIPTION: Final = (
    "Runs the unmodified mlx_lm.server until Ctrl-C and writes a span for each request, with queue, template, "
    "prefill, decode and parse under it. A request that carries a traceparent header joins its sender's trace: "
    "point any client that OpenTelemetry instruments at it. If the header says that its trace is not recorded "
    "(flags 00, as of clients that sample), there are no spans of that request. "
    "Arguments after -- go to mlx_lm.server as they are, for example -- --log-level DEBUG."
)
EXAMPLES: Final = (
    "serve --model mlx-community/Qwen3-8B-4bit",
    "serve --port 8081 --no-export -- --log-level DEBUG",
)
DEFAULT_PORT: Final = 8080
_DEMO: Final = "the demo model knows the prompts of `punie-trace run`, and answers others with nonsense"
_POLL_S: Final = 0.2
_POLLS_PER_LOOK: Final = 25  # into the log: every 5 s


@dataclass(frozen=True, slots=True)
class ServedOptions(ServerOptions):
    """A server at a port that clients know."""

    config: Path | None = config_flag()
    port: int = flag(
        "--port", "PORT", "0 takes a free one", parse=whole_number(0, 65535), default=DEFAULT_PORT
    )


@dataclass(frozen=True, slots=True)
class SpanOptions(ReceiverOptions):
    """Where the server's spans go. They carry no prompt and no answer, so there is no content to choose."""

    spans_dir: Path = flag("--spans-dir", "DIR", "spans and log", parse=path, default=Path("spans"))

    @property
    def log(self) -> Path:
        """Both outputs of the server."""
        from punie.trace.store.runs.server_log import SERVER_LOG

        return self.spans_dir / SERVER_LOG


@dataclass(frozen=True, slots=True)
class Options:
    """What `serve` was asked to do."""

    server: ServedOptions = group("server", ServedOptions)
    spans: SpanOptions = group("spans", SpanOptions)
    server_arguments: tuple[str, ...] = argument(
        "-- ARGUMENT", "for mlx_lm.server; not what a flag here sets", nargs="*"
    )
    given: frozenset[str] = frozenset()


def execute(options: Options) -> int:
    """Serve until SIGINT or SIGTERM. Raises ServerError if the server doesn't start or dies.

    Raises KeyboardInterrupt if such a signal comes before it is ready.
    """
    import asyncio

    from punie.trace.commands.server_options import check_draft
    from punie.trace.console.progress import Progress
    from punie.trace.usecases.sending import find_receivers

    configuration = read_config(options.server.config)
    if program := configuration.value("server", "program"):
        raise UsageError(
            f"{options.server.config}: its server is the program {program}",
            remedy="start that program itself",
        )
    options = with_config(options, configuration, options.given)
    refuse_own_flags(options)
    spans = options.spans
    sending = find_receivers(spans.otlp, no_export=spans.no_export, content=False)
    server = _server(options, configuration)
    progress = Progress()
    if any(table == "agent" for table, _ in configuration.named):
        progress.log(f"{options.server.config}: its [agent] settings are for whoever asks this server")
    progress.log_all(check_draft(server.config, allow_vocab_mismatch=options.server.allow_vocab_mismatch))
    _make_folder(spans.spans_dir)
    with sending.following(spans.spans_dir, progress):
        was_ready = asyncio.run(
            _serve(server, lambda: progress.log_all(_greeting(options, server)), progress.log)
        )
    if not was_ready:
        raise KeyboardInterrupt("the server wasn't ready yet")
    if lost := server.lost_spans():
        raise ExportError(_lost(lost), remedy=f"See {spans.log}")
    return int(ExitCode.OK)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(
            f"--spans-dir {path}: can't be made: {error.strerror or error}",
            remedy="Choose a directory that you may write to.",
        ) from error


def _lost(lines: Sequence[str]) -> str:
    return f"spans of the server could not be written: {lines[-1]}"


async def _serve(server: TracedServer, log_ready: Callable[[], None], log: Callable[[str], None]) -> bool:
    """Until a signal; whether the server was ready when it came."""
    import asyncio

    from punie.trace.usecases.interruption import cancel_on

    ready = False
    cancel_on(signal.SIGINT, signal.SIGTERM)
    try:
        async with server:
            ready = True
            log_ready()
            await _watch(server, log)
    except asyncio.CancelledError:
        pass  # asked to end, by the signals above
    return ready


async def _watch(server: TracedServer, log: Callable[[str], None]) -> None:
    """Until it dies, which raises ServerError; lost spans are reported once."""
    import asyncio

    lost: tuple[str, ...] = ()
    for poll in count(1):
        server.raise_if_dead()
        if not lost and poll % _POLLS_PER_LOOK == 0 and (lost := server.lost_spans()):
            log(_lost(lost))
        await asyncio.sleep(_POLL_S)


def _server(options: Options, configuration: Configuration) -> TracedServer:
    from punie.trace.commands.server_options import server_config
    from punie.trace.serving.traced_server import ServerFiles, ServerTracing, TracedServer

    config = replace(
        server_config(options.server),
        prefill_step_size=configuration.value("server", "prefill_step_size"),
        chat_template_args=configuration.value("request", "template_args") or {},
    )
    return TracedServer(
        config,
        ServerFiles(options.spans.spans_dir, options.spans.log),
        ServerTracing(spans=not options.server.plain_server),
        ready_timeout_s=options.server.ready_timeout,
        more_arguments=options.server_arguments,
    )


def _greeting(options: Options, server: TracedServer) -> tuple[str, ...]:
    spans = options.spans
    where = "no spans (--plain-server)" if options.server.plain_server else f"spans in {spans.spans_dir}"
    if reasons := server.why_not_traced():
        where = f"no spans ({reasons[-1]})"
    greeting = f"serving {server.base_url} as {server.model_name}: {where}, log in {spans.log}"
    return (greeting,) if options.server.model else (greeting, _DEMO)


# The flag of ours that sets what a flag of mlx_lm.server does.
OWN_FLAGS: Final = {
    "--model": "--model",
    "--adapter-path": "--adapter",
    "--draft-model": "--draft",
    "--num-draft-tokens": "--num-draft-tokens",
    "--max-tokens": "--max-tokens",
    "--temp": "--temperature",
    "--top-p": "--top-p",
    "--host": "--host",
    "--port": "--port",
}


def refuse_own_flags(options: Options) -> None:
    """Raise UsageError if an argument for the server says again what a flag of ours says, and checks.

    A second `--port` would leave us waiting at the first, a second `--host` would let other machines in.
    """
    taken = OWN_FLAGS | ({"--prompt-cache-size": "--cache"} if options.server.cache == "off" else {})
    for given in options.server_arguments:
        name = given.partition("=")[0]
        # mlx_lm takes a flag's beginning for the flag, if no other begins so.
        own = next((ours for theirs, ours in taken.items() if name[2:] and theirs.startswith(name)), None)
        if own is not None:
            raise UsageError(
                f"{name} can't be given after --: {own} sets it for the server",
                remedy=f"Use {own}, before the --.",
            )
