"""The options of `run`, and what follows from them: a server, a workload, and a plan."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.commands.configured import config_flag, named_options, read_config, with_config
from punie.trace.commands.options import (
    GateOptions,
    OutputOptions,
    SendingOptions,
    SuiteOptions,
    content_flag,
    jaeger_flag,
    refuse_given,
)
from punie.trace.commands.server_options import (
    DEMO,
    KEY_VARIABLE,
    ServerOptions,
    base_url_flag,
    naming_flags,
    requested_model_flag,
)
from punie.trace.errors import UsageError
from punie.trace.flags import seed_flag
from punie.trace.options import flag, group, path, switch, whole_number

if TYPE_CHECKING:
    from punie.trace.analysis.experiment.configuration import Configuration
    from punie.trace.server.address import ServerAddress
    from punie.trace.serving.model_server import UnstartedServer
    from punie.trace.store.runs.run_folder import RunFolder
    from punie.trace.store.runs.run_plan import RunPlan, RunSettings
    from punie.trace.usecases.suite_run import Workload
    from punie.trace.workload.suite import Suite


@dataclass(frozen=True, slots=True)
class RunServerOptions(ServerOptions):
    """A server to start, or one to attach to."""

    config: Path | None = config_flag()
    model: str | None = requested_model_flag()
    base_url: str | None = base_url_flag()
    api_key_env: str = flag(
        "--api-key-env", "NAME", "the variable with that server's key", default=KEY_VARIABLE
    )
    starts: int = flag("--starts", "N", "server starts", parse=whole_number(1), default=1)


@dataclass(frozen=True, slots=True)
class WorkloadOptions(SuiteOptions):
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


def workload_warnings(workload: WorkloadOptions) -> tuple[str, ...]:
    """What may surprise in the questions that are asked."""
    if workload.workspace is None or workload.suite is not None:
        return ()
    return (
        "the default suite asks about the demo project, so its scores don't apply to "
        f"{workload.workspace}: ask questions of your own with --suite",
    )


def configured(options: Options) -> tuple[Options, Configuration]:
    """The options over what `--config` says, and that. Raises UsageError for what can't go together."""
    configuration = read_config(options.server.config)
    options = with_config(options, configuration, options.given)
    options = replace(options, given=options.given | named_options(configuration))
    _refuse_conflicts(options)
    return options, configuration


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


def server_of(options: Options, configuration: Configuration) -> tuple[UnstartedServer, tuple[str, ...]]:
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


def workload_of(options: Options, configuration: Configuration) -> Workload:
    """The workload. Imports the user's agent; raises PunieTraceError if that can't be used."""
    from punie.trace.analysis.experiment.arms import AgentSettings
    from punie.trace.bench.runtime import subject_of
    from punie.trace.usecases.suite_run import Workload
    from punie.trace.workload.suite import load_suite

    workload = options.workload
    workspace = None if workload.workspace is None else str(workload.workspace)
    return Workload(
        suite=load_suite(workload.suite),
        subject=subject_of(AgentSettings(workload.agent, workspace)),
        stream=not workload.no_stream,
        query_timeout_s=workload.query_timeout,
        ready_timeout_s=options.server.ready_timeout,
        turns=workload.turns,
        settings=configuration.agent,
        request=configuration.request,
    )


def new_run(options: Options, suite: Suite, server: UnstartedServer) -> tuple[RunFolder, RunPlan]:
    """A folder with the plan written into it. Raises OutputError."""
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
        suite=_stored_path(options.workload.suite),
        workspace=_stored_path(options.workload.workspace),
    )


def _stored_path(path: Path | None) -> str | None:
    """Absolute, so that it is found from elsewhere; the bare name of a suite that ships stays one."""
    return None if path is None else str(path.absolute() if path.exists() else path)
