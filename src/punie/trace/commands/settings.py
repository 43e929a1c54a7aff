"""The flags of `run` as one frozen value: everything is checked here, before anything is started or written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from punie.trace.errors import UsageError
from punie.trace.server.config import ServerConfig
from punie.trace.units import parse_bytes, parse_duration_ns
from punie.trace.workload.suite import Suite, default_suite, load_suite

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

DEMO: Final = "demo"
DEFAULT_MAX_TOKENS: Final = 1024
"""The server's own default, 512, cuts long answers."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What `run` was asked to do. `server` is None when it attaches to `base_url`."""

    suite: Suite
    server: ServerConfig | None
    base_url: str | None
    model_label: str
    is_demo: bool
    workspace: Path
    agent: str | None
    repeats: int
    starts: int
    seed: int
    cache: str
    stream: bool
    query_timeout_s: float
    ready_timeout_s: float
    plain_server: bool
    turns: Path | None
    target_ns: int | None
    max_memory_bytes: int | None

    @property
    def draft_label(self) -> str | None:
        """The draft model's name, None without one."""
        draft = self.server.draft_model if self.server else None
        return None if draft is None else Path(draft).name

    def as_text(self) -> dict[str, str]:
        """What else of the settings a reader of the run may need."""
        found = {
            "agent": self.agent or "default",
            "repeats": self.repeats,
            "server_starts": self.starts,
            "stream": self.stream,
            "plain_server": self.plain_server,
            "demo_model": self.is_demo,
            "in_turns": None if self.turns is None else True,
            "max_tokens": self.server.max_tokens if self.server else None,
            "temperature": self.server.temperature if self.server else None,
            "num_draft_tokens": self.server.num_draft_tokens if self.server else None,
            "target_ns": self.target_ns,
            "max_memory_bytes": self.max_memory_bytes,
        }
        return {name: str(value) for name, value in found.items() if value is not None}


def read_settings(options: argparse.Namespace) -> RunSettings:
    """The settings that `options` mean. Raises UsageError, ConfigError or InputError, naming flag or file."""
    _refuse_conflicts(options)
    server = None if options.base_url else server_config(options)
    return RunSettings(
        suite=load_suite(options.suite) if options.suite else default_suite(),
        server=server,
        base_url=_base_url(options),
        model_label=_model_label(options),
        is_demo=not (options.model or options.base_url),
        workspace=_workspace(options),
        agent=options.agent,
        repeats=options.repeat,
        starts=options.starts,
        seed=options.seed,
        cache="unknown" if options.base_url else options.cache,
        stream=not options.no_stream,
        query_timeout_s=options.query_timeout,
        ready_timeout_s=options.ready_timeout,
        plain_server=options.plain_server,
        turns=options.turns,
        target_ns=parse_duration_ns(options.target, flag="--target") if options.target else None,
        max_memory_bytes=parse_bytes(options.max_memory, flag="--max-memory") if options.max_memory else None,
    )


# What only makes sense for a server that we start: flag, attribute, the value that means "not given".
_OWN_SERVER_ONLY = (
    ("--model", "model", None),
    ("--adapter", "adapter", None),
    ("--draft", "draft", None),
    ("--num-draft-tokens", "num_draft_tokens", None),
    ("--cache", "cache", "server"),
    ("--host", "host", "127.0.0.1"),
    ("--port", "port", 0),
    ("--starts", "starts", 1),
    ("--plain-server", "plain_server", False),
)


def _refuse_conflicts(options: argparse.Namespace) -> None:
    if options.base_url:
        for flag, name, absent in _OWN_SERVER_ONLY:
            if getattr(options, name) != absent:
                raise UsageError(f"{flag} can't be used with --base-url: that server is already running")
    if options.agent and options.workspace:
        raise UsageError("--workspace is for the default agent; --agent brings its own tools")


def server_config(options: argparse.Namespace) -> ServerConfig:
    """The server that the flags of `options.add_server` mean. Raises ConfigError with the field's name."""
    from punie.trace.demo.paths import draft_model_path, target_model_path

    draft = draft_model_path() if options.draft == DEMO else options.draft
    return ServerConfig(
        model=options.model or target_model_path(),
        host=options.host,
        port=options.port,
        adapter_path=options.adapter,
        temperature=0.0 if options.temperature is None else options.temperature,
        top_p=options.top_p,
        max_tokens=options.max_tokens or DEFAULT_MAX_TOKENS,
        draft_model=draft,
        num_draft_tokens=options.num_draft_tokens,
        prompt_cache_size=0 if options.cache == "off" else None,
    )


def server_warnings(config: ServerConfig) -> Iterator[str]:
    """What to say of a server before it is started."""
    if config.draft_model is not None and config.prompt_cache_size != 0:
        yield (
            "a draft model with the prompt cache on: mlx_lm 0.32 loses a token of the context when it takes tokens "
            "from the cache; add --cache off"
        )


# What flags of `options.add_server` tell mlx_lm.server, by its name for it.
OWN_FLAGS: Final = MappingProxyType(
    {
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
)


def refuse_own_flags(options: argparse.Namespace) -> None:
    """Raise UsageError if `options.server_arguments` say again what a flag of ours says, and checks.

    A second `--port` would leave us waiting at the first, a second `--host` would let other machines in.
    """
    taken = OWN_FLAGS | ({"--prompt-cache-size": "--cache"} if options.cache == "off" else {})
    for argument in options.server_arguments:
        name = argument.partition("=")[0]
        # mlx_lm takes a flag's beginning for the flag, if no other begins so.
        told = next((ours for theirs, ours in taken.items() if name[2:] and theirs.startswith(name)), None)
        if told is not None:
            raise UsageError(
                f"{name} can't be given after --: {told} tells the server",
                remedy=f"Use {told}, before the --.",
            )


def _base_url(options: argparse.Namespace) -> str | None:
    from punie.trace.server.attach import normalised  # imports an HTTP client

    return normalised(options.base_url) if options.base_url else None


def _model_label(options: argparse.Namespace) -> str:
    if options.base_url:
        return str(options.base_url)
    return Path(options.model).name if options.model else DEMO


def _workspace(options: argparse.Namespace) -> Path:
    from punie.trace.demo.paths import workspace_path

    if options.workspace is None:
        return workspace_path()
    if not options.workspace.is_dir():
        raise UsageError(f"--workspace {options.workspace}: no such folder")
    return Path(options.workspace)
