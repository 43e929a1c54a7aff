"""`run`: start a server, ask a suite of queries through an agent, and say where the time went."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.commands.configured import config_flag, named_options, read_config, with_config
from punie.trace.commands.options import (
    AskedOptions,
    GateOptions,
    OutputOptions,
    SendingOptions,
    content_flag,
    jaeger_flag,
    refuse_given,
)
from punie.trace.commands.server_options import (
    DEMO,
    KEY_VARIABLE,
    ServerOptions,
    asked_model_flag,
    base_url_flag,
    naming_flags,
)
from punie.trace.errors import ExportError, UsageError
from punie.trace.flags import seed_flag
from punie.trace.options import flag, group, path, switch, whole_number

if TYPE_CHECKING:
    from punie.trace.analysis.experiment.configuration import Configuration
    from punie.trace.console.progress import RunProgress
    from punie.trace.model import SpanSet
    from punie.trace.report.document import Document
    from punie.trace.server.address import ServerAddress
    from punie.trace.serving.model_server import UnstartedServer
    from punie.trace.store.runs.run_folder import RunFolder
    from punie.trace.store.runs.run_plan import RunPlan, RunSettings
    from punie.trace.telemetry.journal.journal import JournalStatus
    from punie.trace.usecases.suite_run import Asking
    from punie.trace.workload.suite import Suite

HELP: Final = "ask a suite of queries on a real server and show where the time went"
DESCRIPTION: Final = (
    "Starts mlx_lm.server (or attaches to --base-url), asks every query of a suite through a PydanticAI agent, "
    "keeps every step as a span in a run folder, and ends with the ledger and its verdicts. "
    "Without --model it uses the demo model, which shows that everything works and nothing about quality."
)
EXAMPLES: Final = (
    "run",
    "run --model mlx-community/Qwen3-8B-4bit --starts 4 -o report.md",
    "run --base-url http://127.0.0.1:11434/v1 --suite mine.toml --agent myapp.agents:agent",
)


@dataclass(frozen=True, slots=True)
class RunServerOptions(ServerOptions):
    """A server to start, or one to attach to."""

    config: Path | None = config_flag()
    model: str | None = asked_model_flag()
    base_url: str | None = base_url_flag()
    api_key_env: str = flag(
        "--api-key-env", "NAME", "the variable with that server's key", default=KEY_VARIABLE
    )
    starts: int = flag("--starts", "N", "server starts", parse=whole_number(1), default=1)


@dataclass(frozen=True, slots=True)
class WorkloadOptions(AskedOptions):
    """What is asked of whom, and how."""

    repeat: int = flag("--repeat", "N", "passes over the suite", parse=whole_number(1), default=1)
    turns: Path | None = flag(
        "--turns", "DIR", "ask in turns with another run that names the same folder, for compare", parse=path
    )
    seed: int = seed_flag()
    no_stream: bool = switch("--no-stream", "ask for whole answers instead of a stream")


@dataclass(frozen=True, slots=True)
class RunSendingOptions(SendingOptions):
    """Where spans are kept, sent and shown."""

    runs: Path = flag("--runs", "DIR", "where run folders go", parse=path, default=Path("runs"))
    jaeger: str | None = jaeger_flag()


@dataclass(frozen=True, slots=True)
class Options:
    """What `run` was asked to do."""

    server: RunServerOptions = group("server", RunServerOptions)
    workload: WorkloadOptions = group("workload", WorkloadOptions)
    spans: RunSendingOptions = group("spans", RunSendingOptions)
    judgement: GateOptions = group("judgement", GateOptions)
    content: bool = content_flag()
    output: OutputOptions = group("output", OutputOptions)
    given: frozenset[str] = frozenset()


_OWN_SERVER_ONLY: Final = frozenset(
    ("adapter", "draft", "allow_vocab_mismatch", "num_draft_tokens", "cache", "host", "port", "starts")
) | {"plain_server"}


def execute(options: Options) -> int:
    """Run the suite and report. Returns the gates' exit code; raises PunieTraceError."""
    from punie.trace.commands.gates import gate
    from punie.trace.commands.output import Output
    from punie.trace.console.progress import RunProgress
    from punie.trace.console.standard_streams import kept_for_the_report
    from punie.trace.report.builders.run import build_run
    from punie.trace.usecases.interruption import run_without_waiting_for_others, telling_how_to_go_on
    from punie.trace.usecases.load import load_run
    from punie.trace.usecases.run_report import Judgement, build_report
    from punie.trace.usecases.sending import find_receivers
    from punie.trace.usecases.suite_run import SuiteRun
    from punie.trace.usecases.waterfall_links import JaegerPage, link_lines

    configuration = read_config(options.server.config)
    options = with_config(options, configuration, options.given)
    options = replace(options, given=options.given | named_options(configuration))
    _refuse_conflicts(options)
    output = Output.of(options.output, gates=options.judgement.gate)  # refused before anything is started
    server, warnings = _server(options, configuration)
    with kept_for_the_report():  # the user's module is imported
        asking = _asking(options, configuration)
    page = JaegerPage.of(options.spans.jaeger)
    sending = find_receivers(
        options.spans.otlp, no_export=options.spans.no_export, content=options.spans.send_content
    )
    folder, plan = _new_run(options, asking.suite, server)
    progress = RunProgress(len(plan.planned))
    progress.say(f"spans and log: {folder.path}")
    progress.say_all((*warnings, *workload_warnings(options.workload)))
    following = sending.following(folder.spans_dir.absolute(), progress, state_folder=folder.path.absolute())
    with ExitStack() as until_reported:
        run = SuiteRun(asking, folder, plan, server, progress, until_reported)
        how = f"the run ended early; what was recorded: punie-trace report {folder.path}"
        with kept_for_the_report(), telling_how_to_go_on(progress.say, how), following as sent:
            journal = run_without_waiting_for_others(run.execute())
        loaded = load_run(folder)
        judgement = Judgement(options.judgement.target_ns, options.judgement.max_memory_bytes)
        document = build_run(build_report(loaded, judgement))
        document = document.with_content() if options.content else document
        output.write(document)
        code = gate(document, options.judgement.gate)
    _write_page(folder, document, progress, options.output)
    progress.say_all(link_lines(loaded.spans.spans, page, sent=sent.accepted > 0))
    _raise_if_lost(journal, loaded.spans)
    return code


def _opens_own_page(output: OutputOptions) -> bool:
    """Whether `--open` means the page in the run folder: then the text still goes to standard output."""
    return output.open and output.output is None and output.format is None


def _write_page(folder: RunFolder, document: Document, progress: RunProgress, output: OutputOptions) -> None:
    """The report as a page in the run folder. A full disk costs the page alone: the report is out by now."""
    from punie.trace.commands.output import open_in_browser
    from punie.trace.errors import OutputError
    from punie.trace.report.formats import HTML
    from punie.trace.store.files.whole_file import PRIVATE, write_whole

    path = folder.path / "report.html"
    try:
        write_whole(path, HTML.write_bytes(document), mode=PRIVATE)
    except OutputError as error:
        progress.say(f"no page: {error.message}")
        return
    progress.say(f"report as a page: {path}")
    if _opens_own_page(output):
        open_in_browser(path)


def workload_warnings(workload: WorkloadOptions) -> tuple[str, ...]:
    """What may surprise in the questions that are asked."""
    if workload.workspace is None or workload.suite is not None:
        return ()
    return (
        "the default suite asks about the demo project, so its scores don't apply to "
        f"{workload.workspace}: ask questions of your own with --suite",
    )


def _refuse_conflicts(options: Options) -> None:
    if options.server.base_url:
        reason = "can't be used with --base-url: that server is already running"
        refuse_given(Options, options.given & _OWN_SERVER_ONLY, reason)
    else:
        refuse_given(Options, options.given & {"api_key_env"}, "is for --base-url")
    if options.workload.agent and options.workload.workspace:
        raise UsageError(
            "--workspace is for the default agent; --agent brings its own tools",
            remedy="leave one of them out",
        )


def _server(options: Options, configuration: Configuration) -> tuple[UnstartedServer, tuple[str, ...]]:
    """The server, and what to say of it before it is started. Raises UsageError that shows no credentials."""
    from punie.trace.commands.server_options import check_draft, server_config
    from punie.trace.serving.model_server import our_server, program_server, running_server
    from punie.trace.serving.traced_server import ServerTracing

    server, program = options.server, configuration.value("server", "program")
    sampling = {"max_tokens": server.max_tokens, "temperature": server.temperature, "top_p": server.top_p}
    settings = {name: value for name, value in sampling.items() if value is not None}
    if server.base_url:
        return running_server(_endpoint(options), server.model, settings), ()
    if program is not None:
        return program_server(program, server.model, settings), ()
    config = server_config(server)
    if (step := configuration.value("server", "prefill_step_size")) is not None:
        config = replace(config, prefill_step_size=step)
    warnings = tuple(check_draft(config, allow_vocab_mismatch=server.allow_vocab_mismatch))
    label = Path(server.model).name if server.model else DEMO
    tracing = ServerTracing(spans=not server.plain_server)
    return our_server(config, label, tracing), warnings


def _endpoint(options: Options) -> ServerAddress:
    from punie.trace.server.address import ServerAddress

    name = options.server.api_key_env
    if "api_key_env" in options.given and not os.environ.get(name):
        raise UsageError(f"--api-key-env {name}: this variable isn't set", remedy=f"export {name}=…")
    with naming_flags():
        endpoint = ServerAddress.of(options.server.base_url or "", api_key=os.environ.get(name))
        endpoint.client_arguments()  # certificates that can't be read are refused now
    return endpoint


def _asking(options: Options, configuration: Configuration) -> Asking:
    from punie.trace.analysis.experiment.arms import AgentSettings
    from punie.trace.bench.runtime import subject_of
    from punie.trace.usecases.suite_run import Asking
    from punie.trace.workload.suite import load_suite

    workload = options.workload
    workspace = None if workload.workspace is None else str(workload.workspace)
    return Asking(
        suite=load_suite(workload.suite),
        subject=subject_of(AgentSettings(workload.agent, workspace)),
        stream=not workload.no_stream,
        query_timeout_s=workload.query_timeout,
        ready_timeout_s=options.server.ready_timeout,
        turns=workload.turns,
        settings=configuration.agent,
        request=configuration.request,
    )


def _new_run(options: Options, suite: Suite, server: UnstartedServer) -> tuple[RunFolder, RunPlan]:
    from punie.trace.machine.environment import Environment
    from punie.trace.store.runs.run_folder import RunFolder
    from punie.trace.store.runs.run_plan import RunPlan
    from punie.trace.workload.plan import plan_queries

    environment = Environment.now()
    name = environment.name("attached" if server.base_url else server.label)
    folder = RunFolder.create(options.spans.runs, name)
    workload = options.workload
    plan = RunPlan(
        run_id=folder.path.name,
        suite_name=suite.name,
        suite_hash=suite.sha256,
        planned=plan_queries(
            suite, repeats=workload.repeat, server_starts=options.server.starts, seed=workload.seed
        ),
        model=server.label,
        draft=server.draft,
        cache=server.cache,
        seed=workload.seed,
        created=environment.created,
        settings=_settings(options, server.base_url, demo_model=server.is_ours and not options.server.model),
        versions=environment.versions,
        machine=environment.machine,
    )
    folder.write_plan(plan)
    return folder, plan


def _settings(options: Options, base_url: str | None, *, demo_model: bool) -> RunSettings:
    from punie.trace.store.runs.run_plan import RunSettings

    server = options.server
    return RunSettings(
        agent=options.workload.agent or "default",
        repeats=options.workload.repeat,
        server_starts=server.starts,
        stream=not options.workload.no_stream,
        plain_server=server.plain_server,
        demo_model=demo_model,
        in_turns=True if options.workload.turns else None,
        base_url=base_url,
        max_tokens=server.max_tokens,
        temperature=server.temperature,
        top_p=server.top_p,
        num_draft_tokens=server.num_draft_tokens,
        target_ns=options.judgement.target_ns,
        max_memory_bytes=options.judgement.max_memory_bytes,
        suite=_kept_path(options.workload.suite),
        workspace=_kept_path(options.workload.workspace),
    )


def _kept_path(path: Path | None) -> str | None:
    """Absolute, so that it is found from elsewhere; the bare name of a suite that ships stays one."""
    return None if path is None else str(path.absolute() if path.exists() else path)


def _raise_if_lost(journal: JournalStatus, spans: SpanSet) -> None:
    """The report is out, and says it too; but who only looks at the exit code must not take it for whole."""
    from punie.trace.store.runs.server_log import SPANS_LOST

    lost = [note.case for note in spans.notes if note.slug == SPANS_LOST]
    if journal.lost:
        lost.append(f"{journal.lost} of the agent's: {journal.last_error}")
    if lost:
        raise ExportError(
            f"the journal lacks spans: {'; '.join(lost)}",
            remedy="Make room on the disk, leave the run's files alone, and run again.",
        )
