"""The options of `improve`, and what they ask for: checked as far as that goes without starting anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.commands.configured import config_flag
from punie.trace.commands.options import (
    OutputOptions,
    SuiteOptions,
    TargetOptions,
    refuse_given,
)
from punie.trace.commands.server_options import (
    ABOUT_ADAPTER,
    DEMO,
    KEY_VARIABLE,
    adapter_folder,
    base_url_flag,
    requested_model_flag,
)
from punie.trace.errors import UsageError
from punie.trace.flags import max_tokens_flag, ready_timeout_flag, seed_flag
from punie.trace.options import choice, flag, group, path, switch
from punie.trace.units import parse_duration_ns

if TYPE_CHECKING:
    from punie.trace.analysis.experiment.arms import AgentSettings, Arm, ServerSettings
    from punie.trace.analysis.improvement.settings import ImproveSettings


@dataclass(frozen=True, slots=True)
class BaselineOptions(SuiteOptions):
    """What is to become faster."""

    config: Path | None = config_flag()
    model: str | None = requested_model_flag()
    base_url: str | None = base_url_flag()
    api_key_env: str | None = flag(
        "--api-key-env", "NAME", "the variable with that server's key", shown=KEY_VARIABLE
    )
    adapter: Path | None = flag("--adapter", "PATH", ABOUT_ADAPTER, parse=path)
    cache: str = choice("--cache", ("server", "off"), "the prompt cache of the baseline", default="server")
    max_tokens: int | None = max_tokens_flag(default=None)
    ready_timeout: int = ready_timeout_flag()


@dataclass(frozen=True, slots=True)
class TryOptions(TargetOptions):
    """What is tried, and how long."""

    budget_ns: int | None = flag(
        "--budget",
        "TIME",
        "time for measuring, e.g. 30m",
        parse=partial(parse_duration_ns, flag="--budget"),
        shown="as long as it takes",
    )
    lever: tuple[str, ...] = flag(
        "--lever",
        "NAME=VALUE",
        "try this as well, e.g. draft=PATH,3 or model=PATH; several times",
        action="append",
        default=(),
    )
    only: str = flag(
        "--only",
        "NAMES",
        "try these levers alone (commas between them)",
        default="",
        shown="all that could help",
    )
    without: str = flag("--without", "NAMES", "don't try these", default="")
    seed: int = seed_flag()


@dataclass(frozen=True, slots=True)
class ToolOptions:
    """Tools may write, send or pay: those that aren't declared read-only need one of these."""

    allow_tools: bool = switch("--allow-tools", "let tools run although they aren't declared read-only")
    replay_tools: Path | None = flag(
        "--replay-tools", "RUN", "tools don't run: they answer as recorded in this run folder", parse=path
    )


@dataclass(frozen=True, slots=True)
class ImproveFolderOptions:
    """Where it is kept and what is written."""

    dry_run: bool = switch("--dry-run", "show what would be done, and end")
    improvements: Path = flag(
        "--improvements", "DIR", "where they are kept", parse=path, default=Path("improvements")
    )
    resume: Path | None = flag(
        "--resume", "FOLDER", "go on with an improvement; --budget may be more", parse=path
    )
    write_config: Path | None = flag(
        "--write-config", "FILE", "write what won as settings for --config", parse=path
    )
    no_history: bool = switch("--no-history", "don't keep how predictions did on this machine")


@dataclass(frozen=True, slots=True)
class Options:
    """What `improve` was asked to do."""

    baseline: BaselineOptions = group("baseline", BaselineOptions)
    tried: TryOptions = group("what is tried", TryOptions)
    tools: ToolOptions = group("tools", ToolOptions)
    place: ImproveFolderOptions = group("places", ImproveFolderOptions)
    output: OutputOptions = group("output", OutputOptions)
    given: frozenset[str] = frozenset()


_WITH_RESUME: Final = frozenset(
    (
        "resume",
        "budget_ns",
        "write_config",
        "no_history",
        "format",
        "output",
        "force",
        "allow_tools",
        "improvements",
    )
)


def settings_of(options: Options) -> ImproveSettings:
    """Everything that is asked for, checked as far as that goes without starting anything."""
    from punie.trace.analysis.experiment.arms import ServerKind
    from punie.trace.analysis.improvement.settings import ImproveSettings
    from punie.trace.bench.levers.registry import parse_change
    from punie.trace.demo.paths import target_model_path
    from punie.trace.machine.environment import Environment
    from punie.trace.workload.suite import load_suite

    baseline, tried = options.baseline, options.tried
    suite = load_suite(baseline.suite)
    arm = _baseline_arm(options)
    for text in tried.lever:
        change = parse_change(text)
        if why_not := change.lever.applies(arm):
            raise UsageError(f"--lever {text}: {why_not}", remedy="leave it out")
    environment = Environment.now()
    label = Path(arm.server.model or DEMO).name
    if arm.server.kind is not ServerKind.MLX:
        label = arm.server.kind.value
    is_demo = arm.server.model == str(target_model_path())
    return ImproveSettings(
        improve_id=environment.name(DEMO if is_demo else label),
        baseline=arm,
        suite=str(baseline.suite.absolute()) if baseline.suite else None,
        suite_name=suite.name,
        suite_hash=suite.sha256,
        queries=tuple(query.id for query in suite.queries),
        created=environment.created,
        levers=tried.lever,
        only=_names(tried.only),
        without=_names(tried.without),
        seed=tried.seed,
        target_ns=tried.target_ns,
        max_memory_bytes=tried.max_memory_bytes,
        budget_ns=tried.budget_ns,
        query_timeout=baseline.query_timeout,
        ready_timeout=baseline.ready_timeout,
        is_demo=is_demo,
        replay=str(options.tools.replay_tools.absolute()) if options.tools.replay_tools else None,
        history=not options.place.no_history,
        versions=environment.versions,
        machine=environment.machine,
    )


def resumed_settings(options: Options) -> ImproveSettings:
    """What an improvement that is gone on with was asked for, with more budget if that is named. Raises UsageError."""
    from punie.trace.bench.improve_folder import ImproveFolder

    reason = "can't be used with --resume: the improvement goes on as it was begun"
    refuse_given(Options, options.given - _WITH_RESUME, reason, "leave it out, or begin a new one")
    if options.place.resume is None:
        raise AssertionError("nothing is resumed")
    settings = ImproveFolder.open(options.place.resume).read_settings()
    if options.tried.budget_ns is not None:
        settings = replace(settings, budget_ns=options.tried.budget_ns)
    return replace(settings, history=settings.history and not options.place.no_history)


def _baseline_arm(options: Options) -> Arm:
    """The baseline: defaults, then `--config`, then flags."""
    from punie.trace.analysis.experiment.arms import Arm
    from punie.trace.bench.plan import Cell
    from punie.trace.bench.servers import server_of
    from punie.trace.commands.server_options import naming_flags
    from punie.trace.store.configuration import read_configuration

    base = options.baseline
    if base.agent and base.workspace:
        raise UsageError(
            "--workspace is for the default agent; --agent brings its own tools", remedy="leave one out"
        )
    arm = Arm("baseline")
    if base.config:
        arm = read_configuration(base.config).onto(arm)
    request = arm.request if base.max_tokens is None else replace(arm.request, max_tokens=base.max_tokens)
    arm = replace(arm, server=_server(arm.server, options), request=request, agent=_agent(arm.agent, options))
    with naming_flags():
        server_of(Cell(0, 0, arm.name, (arm,)))
    return arm


def _server(server: ServerSettings, options: Options) -> ServerSettings:
    from punie.trace.analysis.experiment.arms import PromptCache
    from punie.trace.demo.paths import target_model_path

    base, given = options.baseline, options.given
    for name in ("model", "base_url", "api_key_env"):
        if name in given:
            server = replace(server, **{name: getattr(base, name)})
    if "cache" in given:
        server = replace(server, prompt_cache=PromptCache(base.cache))
    if adapter := adapter_folder(base.adapter):
        server = replace(server, adapter=str(adapter.absolute()))
    if server.base_url is None and server.program is None and server.model is None:
        server = replace(server, model=str(target_model_path()))
    return server


def _agent(agent: AgentSettings, options: Options) -> AgentSettings:
    base, replay = options.baseline, options.tools.replay_tools
    if base.agent:
        agent = replace(agent, agent=base.agent, workspace=None)
    if base.workspace:
        agent = replace(agent, agent=None, workspace=str(base.workspace.absolute()))
    return replace(agent, replay=str(replay.absolute())) if replay else agent


def _names(text: str) -> tuple[str, ...]:
    """Levers by their names, with or without a value. Raises UsageError for a name that none has."""
    from punie.trace.bench.levers.registry import LEVERS, unknown_lever

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    known = {lever.name for lever in LEVERS}
    for name in names:
        if name.partition("=")[0] not in known:
            raise unknown_lever(name)
    return names
