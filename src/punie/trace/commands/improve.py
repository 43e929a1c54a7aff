"""`improve`: try what could help, keep what holds, and say what to put where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.commands.improve_options import (
    ImproveFolderOptions,
    Options,
    ToolOptions,
    resumed_settings,
    settings_of,
)
from punie.trace.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from punie.trace.analysis.improvement.settings import ImproveSettings
    from punie.trace.bench.improve_folder import ImproveFolder
    from punie.trace.commands.output import Output
    from punie.trace.console.bench_progress import BenchProgress
    from punie.trace.report.content import ImprovementContent
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
    from punie.trace.usecases.improvement import improve_in
    from punie.trace.usecases.interruption import reporting_how_to_resume

    output, place = Output.of(options.output), options.place
    if place.write_config is not None and place.write_config.exists() and not options.output.force:
        raise UsageError(
            f"--write-config {place.write_config}: the file exists", remedy="add --force to overwrite it"
        )
    settings = resumed_settings(options) if place.resume else settings_of(options)
    tools = _tools(settings)
    progress = BenchProgress()
    progress.log_all(_about_tools(settings, tools))
    if place.dry_run:
        from punie.trace.report.builders.improvement_plan import build_improvement_plan
        from punie.trace.usecases.estimate import last_seen, server_name
        from punie.trace.usecases.improvement import static_candidates

        listed = tuple(static_candidates(settings.baseline, settings.levers))
        measured_before = last_seen(settings.suite_hash, server_name(settings.baseline), _places(place))
        seen = (measured_before.arm_ns, measured_before.source) if measured_before else None
        output.write(build_improvement_plan(settings, listed, [(t.name, t.read_only) for t in tools], seen))
        return ExitCode.OK
    _refuse_tools(options.tools, settings, tools)
    folder = _folder(place, settings)
    progress.log(f"improvement: {folder.path}")
    how = f"ended early; what is done is kept: punie-trace improve --resume {folder.path}"
    with reporting_how_to_resume(progress.log, how):
        report = asyncio.run(improve_in(folder, settings, progress))
    _conclude(report, folder, options, output, progress)
    return int(_CODES[report.ending.value])


def _places(place: ImproveFolderOptions) -> tuple[Path, ...]:
    """Where a run of the same suite may show how long it takes."""
    from punie.trace.usecases.estimate import PLACES

    return (*PLACES, place.improvements)


def _folder(place: ImproveFolderOptions, settings: ImproveSettings) -> ImproveFolder:
    from punie.trace.bench.improve_folder import ImproveFolder

    if place.resume:
        folder = ImproveFolder.open(place.resume)
    else:
        folder = ImproveFolder.create(place.improvements, settings.improve_id)
    folder.write_settings(settings)
    return folder


def _tools(settings: ImproveSettings) -> tuple[ListedTool, ...]:
    import asyncio

    from punie.trace.bench.runtime import subject_of
    from punie.trace.console.standard_streams import importing_agent
    from punie.trace.workload.listed_tools import listed_tools

    async def look() -> tuple[ListedTool, ...]:
        async with subject_of(settings.baseline.agent).opened(lambda _: None) as subject:
            return listed_tools(subject)

    with importing_agent(settings.baseline.agent.agent):
        return asyncio.run(look())


def _about_tools(settings: ImproveSettings, tools: tuple[ListedTool, ...]) -> tuple[str, ...]:
    """What may be called, and how often, before the first question."""
    from punie.trace.usecases.improvement import max_executions

    if not tools:
        return ("the agent has no tools",)
    names = ", ".join(f"{tool.name}{'' if tool.read_only else ' (not declared read-only)'}" for tool in tools)
    if settings.replay:
        return (f"tools: {names}; none of them runs: they answer as recorded in {settings.replay}",)
    return (
        f"tools: {names}; they are called anew each time a query is asked, and each of the {len(settings.queries)} "
        f"queries is asked up to about {max_executions()} times for each arm",
    )


def _refuse_tools(options: ToolOptions, settings: ImproveSettings, tools: tuple[ListedTool, ...]) -> None:
    undeclared = [tool.name for tool in tools if not tool.read_only]
    if undeclared and not (options.allow_tools or settings.replay):
        raise UsageError(
            f"{', '.join(undeclared)}: not declared read-only, and would be called many times",
            remedy='add --allow-tools, or --replay-tools RUN, or declare it: Tool(…, metadata={"read_only": True})',
        )


def _conclude(
    report: ImprovementContent,
    folder: ImproveFolder,
    options: Options,
    output: Output,
    progress: BenchProgress,
) -> None:
    """The report where it is asked for, and all of it in the folder."""
    from punie.trace.report.builders.improvement import build_improvement, with_diary
    from punie.trace.report.formats import HTML, JSON, MARKDOWN
    from punie.trace.store.files.whole_file import write_whole
    from punie.trace.usecases.improvement import won_configuration

    document = build_improvement(report)
    diary = with_diary(document, report)
    try:
        write_whole(folder.path / "report.json", JSON.write(document))
        write_whole(folder.path / "report.md", MARKDOWN.write(diary))
        write_whole(folder.path / "report.html", HTML.write_bytes(diary))
        progress.log(f"report as a page: {folder.path / 'report.html'}")
        won = won_configuration(report)
        if won is not None:
            write_whole(folder.path / "config.toml", won)
            if options.place.write_config:
                write_whole(options.place.write_config, won)
                progress.log(f"Wrote {options.place.write_config}")
        elif options.place.write_config:
            progress.log(f"{options.place.write_config} is not written: nothing was confirmed")
    finally:  # printed even if the folder takes nothing any more
        output.write(diary if output.format.name == MARKDOWN.name else document)
