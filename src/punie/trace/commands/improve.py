"""`improve`: try what could help, keep what holds, and say what to put where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.commands.options import OutputOptions, memory_size, target
from punie.trace.commands.server_options import DEMO, seconds
from punie.trace.errors import ExitCode, UsageError
from punie.trace.options import choice, flag, flags_of, group, switch, whole_number
from punie.trace.units import parse_duration_ns

if TYPE_CHECKING:
    from punie.trace.analysis.experiment.arms import AgentSettings, Arm, ServerSettings
    from punie.trace.analysis.improvement.settings import ImproveSettings
    from punie.trace.bench.improve_folder import ImproveFolder
    from punie.trace.commands.output import Output
    from punie.trace.console.bench_progress import BenchProgress
    from punie.trace.report.content import ImprovementReport
    from punie.trace.workload.listed_tools import ListedTool

HELP: Final = "try what could make an agent faster, and keep what holds"
DESCRIPTION: Final = (
    "Measures the baseline, ranks levers by what they would save, tries each by itself, combines those that help and "
    "confirms the winner against the baseline in fresh blocks, at the same accuracy. It ends with a speed-up and its "
    "interval, a config.toml, and what to change in your own code. On a running server (--base-url) only requests and "
    "the agent are changed. Interrupted, it goes on with --resume. Exit codes: 0 faster, 9 nothing helps, 3 undecided, "
    "10 the budget is spent."
)
EXAMPLES: Final = (
    "improve --budget 30m",
    "improve --model models/qwen3-30b --suite mine.toml --agent myapp.agents:agent --target 10s --allow-tools",
    "improve --dry-run --lever draft=models/qwen3-0.6b,3 --without brief",
    "improve --resume improvements/2026-11-30T14-05-09-demo",
)


@dataclass(frozen=True, slots=True)
class BaselineOptions:
    """What is to become faster."""

    config: Path | None = flag("--config", "FILE", "settings to begin with; flags win", parse=Path)
    model: str | None = flag(
        "--model", "PATH", "a folder, or ORG/NAME; with --base-url its name there", shown="the demo model"
    )
    base_url: str | None = flag("--base-url", "URL", "a running OpenAI-compatible server")
    api_key_env: str | None = flag("--api-key-env", "NAME", "the variable with that server's key")
    adapter: str | None = flag("--adapter", "PATH", "a LoRA adapter for the model")
    cache: str = choice("--cache", ("server", "off"), "the prompt cache of the baseline", default="server")
    max_tokens: int | None = flag(
        "--max-tokens", "N", "limit of one answer", parse=whole_number(1, 10**8), shown="1024"
    )
    suite: Path | None = flag("--suite", "FILE", "a suite of queries", parse=Path, shown="discrimination")
    agent: str | None = flag("--agent", "MODULE:ATTRIBUTE", "your own PydanticAI agent")
    workspace: Path | None = flag("--workspace", "DIR", "what the default agent's tools see", parse=Path)
    query_timeout: int = flag("--query-timeout", "S", "seconds for one query", parse=seconds, default=300)
    ready_timeout: int = flag(
        "--ready-timeout", "S", "seconds for a server start", parse=seconds, default=600
    )


@dataclass(frozen=True, slots=True)
class TryOptions:
    """What is tried, and how long."""

    target_ns: int | None = flag("--target", "TIME", "how long a query may take, e.g. 10s", parse=target)
    max_memory_bytes: int | None = flag(
        "--max-memory", "SIZE", "what the server may use, e.g. 32GB", parse=memory_size
    )
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
    only: str = flag("--only", "NAMES", "try these levers alone (commas between them)", default="")
    without: str = flag("--without", "NAMES", "don't try these", default="")
    seed: int = flag("--seed", "N", "of the orders", parse=whole_number(-(2**62), 2**62), default=0)


@dataclass(frozen=True, slots=True)
class ToolOptions:
    """Tools may write, send or pay: those that aren't declared read-only need one of these."""

    allow_tools: bool = switch("--allow-tools", "let tools run although they aren't declared read-only")
    replay_tools: Path | None = flag(
        "--replay-tools", "RUN", "tools don't run: they answer as recorded in this run folder", parse=Path
    )


@dataclass(frozen=True, slots=True)
class PlaceOptions:
    """Where it is kept and what is written."""

    dry_run: bool = switch("--dry-run", "show what would be done, and end")
    improvements: Path = flag(
        "--improvements", "DIR", "where they are kept", parse=Path, default=Path("improvements")
    )
    resume: Path | None = flag(
        "--resume", "FOLDER", "go on with an improvement; --budget may be more", parse=Path
    )
    write_config: Path | None = flag(
        "--write-config", "FILE", "write what won as settings for --config", parse=Path
    )
    no_history: bool = switch("--no-history", "don't keep how predictions did on this machine")


@dataclass(frozen=True, slots=True)
class Options:
    """What `improve` was asked to do."""

    baseline: BaselineOptions = group("baseline", BaselineOptions)
    tried: TryOptions = group("what is tried", TryOptions)
    tools: ToolOptions = group("tools", ToolOptions)
    place: PlaceOptions = group("places", PlaceOptions)
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
_CODES: Final = {
    "improved": ExitCode.OK,
    "nothing-helps": ExitCode.NOTHING_HELPS,
    "undecided": ExitCode.GATE_UNDECIDED,
    "budget-spent": ExitCode.BUDGET_SPENT,
}


def execute(options: Options) -> int:
    """Improve and report. Returns the exit code of its ending; raises PunieTraceError."""
    import asyncio

    from punie.trace.commands.output import Output
    from punie.trace.console.bench_progress import BenchProgress
    from punie.trace.usecases.improvement import ImprovementRun
    from punie.trace.usecases.interruption import telling_how_to_go_on

    output, place = Output.of(options.output), options.place
    if place.write_config is not None and place.write_config.exists() and not options.output.force:
        raise UsageError(
            f"--write-config {place.write_config}: the file exists", remedy="add --force to overwrite it"
        )
    settings = _resumed(options) if place.resume else _settings(options)
    tools = _tools(settings)
    progress = BenchProgress()
    progress.say_all(_about_tools(settings, tools))
    if place.dry_run:
        from punie.trace.report.builders.improvement_plan import build_improvement_plan
        from punie.trace.usecases.improvement import static_candidates

        listed = tuple(static_candidates(settings.baseline, settings.levers))
        output.write(build_improvement_plan(settings, listed, [(t.name, t.read_only) for t in tools]))
        return ExitCode.OK
    _refuse_tools(options.tools, settings, tools)
    folder = _folder(place, settings)
    progress.say(f"improvement: {folder.path}")
    how = f"ended early; what is done is kept: punie-trace improve --resume {folder.path}"
    with telling_how_to_go_on(progress.say, how):
        report = asyncio.run(ImprovementRun(folder, settings, progress).execute())
    _conclude(report, folder, options, output, progress)
    return int(_CODES[report.ending.value])


def _settings(options: Options) -> ImproveSettings:
    """Everything that is asked for, checked as far as that goes without starting anything."""
    from punie.trace.analysis.improvement.settings import ImproveSettings
    from punie.trace.bench.levers.registry import parse_change
    from punie.trace.demo.paths import target_model_path
    from punie.trace.machine.facts import machine_facts
    from punie.trace.usecases.provenance import package_versions
    from punie.trace.workload.suite import default_suite, load_suite

    baseline, tried = options.baseline, options.tried
    suite = load_suite(baseline.suite) if baseline.suite else default_suite()
    arm = _baseline_arm(options)
    for text in tried.lever:
        change = parse_change(text)
        if why_not := change.lever.applies(arm):
            raise UsageError(f"--lever {text}: {why_not}", remedy="leave it out")
    created = datetime.now().astimezone()
    label = "attached" if arm.server.base_url else Path(arm.server.model or DEMO).name
    is_demo = arm.server.model == str(target_model_path())
    return ImproveSettings(
        improve_id=f"{created:%Y-%m-%dT%H-%M-%S}-{DEMO if is_demo else label}",
        baseline=arm,
        suite=str(baseline.suite.absolute()) if baseline.suite else None,
        suite_name=suite.name,
        suite_hash=suite.sha256,
        queries=tuple(query.id for query in suite.queries),
        created=created.isoformat(timespec="seconds"),
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
        versions=package_versions(),
        machine=machine_facts(),
    )


def _baseline_arm(options: Options) -> Arm:
    """The baseline: defaults, then `--config`, then flags."""
    from punie.trace.analysis.experiment.arms import Arm
    from punie.trace.bench.plan import Cell
    from punie.trace.bench.servers import check_server
    from punie.trace.commands.server_options import naming_flags
    from punie.trace.store.configuration import read_configuration

    asked = options.baseline
    if asked.agent and asked.workspace:
        raise UsageError(
            "--workspace is for the default agent; --agent brings its own tools", remedy="leave one out"
        )
    arm = Arm("baseline")
    if asked.config:
        arm = read_configuration(asked.config).onto(arm)
    request = arm.request if asked.max_tokens is None else replace(arm.request, max_tokens=asked.max_tokens)
    arm = replace(arm, server=_server(arm.server, options), request=request, agent=_agent(arm.agent, options))
    with naming_flags():
        check_server(Cell(0, 0, arm.name, (arm,)))
    return arm


def _server(server: ServerSettings, options: Options) -> ServerSettings:
    from punie.trace.analysis.experiment.arms import PromptCache
    from punie.trace.demo.paths import target_model_path

    asked, given = options.baseline, options.given
    for name in ("model", "base_url", "api_key_env"):
        if name in given:
            server = replace(server, **{name: getattr(asked, name)})
    if "cache" in given:
        server = replace(server, prompt_cache=PromptCache(asked.cache))
    if asked.adapter:
        server = replace(server, adapter=str(Path(asked.adapter).absolute()))
    if server.base_url is None and server.program is None and server.model is None:
        server = replace(server, model=str(target_model_path()))
    return server


def _agent(agent: AgentSettings, options: Options) -> AgentSettings:
    asked, replay = options.baseline, options.tools.replay_tools
    if asked.agent:
        agent = replace(agent, agent=asked.agent, workspace=None)
    if asked.workspace:
        agent = replace(agent, agent=None, workspace=str(asked.workspace.absolute()))
    return replace(agent, replay=str(replay.absolute())) if replay else agent


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _resumed(options: Options) -> ImproveSettings:
    from punie.trace.bench.improve_folder import ImproveFolder

    flags = flags_of(Options)
    refused = [name for name in flags if name in options.given and name not in _WITH_RESUME]
    if refused:
        raise UsageError(
            f"{flags[refused[0]]} can't be used with --resume: the improvement goes on as it was begun",
            remedy="leave it out, or begin a new one",
        )
    if options.place.resume is None:
        raise AssertionError("nothing is resumed")
    settings = ImproveFolder.open(options.place.resume).read_settings()
    if options.tried.budget_ns is not None:
        settings = replace(settings, budget_ns=options.tried.budget_ns)
    return replace(settings, history=settings.history and not options.place.no_history)


def _folder(place: PlaceOptions, settings: ImproveSettings) -> ImproveFolder:
    from punie.trace.bench.improve_folder import ImproveFolder

    if place.resume:
        folder = ImproveFolder.open(place.resume)
    else:
        folder = ImproveFolder.create(place.improvements, settings.improve_id)
    folder.write_settings(settings)
    return folder


def _tools(settings: ImproveSettings) -> tuple[ListedTool, ...]:
    from punie.trace.bench.runtime import subject_of
    from punie.trace.console.standard_streams import kept_for_the_report
    from punie.trace.workload.listed_tools import listed_tools

    with kept_for_the_report():  # the user's module is imported
        return listed_tools(subject_of(settings.baseline.agent))


def _about_tools(settings: ImproveSettings, tools: tuple[ListedTool, ...]) -> tuple[str, ...]:
    """What may be called, and how often, before the first question."""
    from punie.trace.usecases.improvement import most_askings

    if not tools:
        return ("the agent has no tools",)
    names = ", ".join(f"{tool.name}{'' if tool.read_only else ' (not declared read-only)'}" for tool in tools)
    if settings.replay:
        return (f"tools: {names}; none of them runs: they answer as recorded in {settings.replay}",)
    return (
        f"tools: {names}; each of the {len(settings.queries)} queries is asked up to about "
        f"{most_askings()} times for each arm that is tried, and calls them each time",
    )


def _refuse_tools(asked: ToolOptions, settings: ImproveSettings, tools: tuple[ListedTool, ...]) -> None:
    undeclared = [tool.name for tool in tools if not tool.read_only]
    if undeclared and not (asked.allow_tools or settings.replay):
        raise UsageError(
            f"{', '.join(undeclared)}: not declared read-only, and would be called many times",
            remedy='add --allow-tools, or --replay-tools RUN, or declare it: Tool(…, metadata={"read_only": True})',
        )


def _conclude(
    report: ImprovementReport,
    folder: ImproveFolder,
    options: Options,
    output: Output,
    progress: BenchProgress,
) -> None:
    """The report where it is asked for, and all of it in the folder."""
    from punie.trace.report.builders.improvement import build_improvement, with_diary
    from punie.trace.report.formats import JSON, MARKDOWN
    from punie.trace.store.files.whole_file import write_whole
    from punie.trace.usecases.improvement import won_configuration

    document = build_improvement(report)
    diary = with_diary(document, report)
    try:
        write_whole(folder.path / "report.json", JSON.write(document))
        write_whole(folder.path / "report.md", MARKDOWN.write(diary))
        won = won_configuration(report)
        if won is not None:
            write_whole(folder.path / "config.toml", won)
            if options.place.write_config:
                write_whole(options.place.write_config, won)
                progress.say(f"Wrote {options.place.write_config}")
        elif options.place.write_config:
            progress.say(f"{options.place.write_config} is not written: nothing was confirmed")
    finally:  # printed even if the folder takes nothing any more
        output.write(diary if output.format.name == MARKDOWN.name else document)
