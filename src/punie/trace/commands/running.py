"""What `run` does: server starts, passes over the suite, spans on disk, the report at the end."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from punie.trace import semconv
from punie.trace.commands.links import JaegerPage, link_lines
from punie.trace.commands.progress import ConsoleProgress
from punie.trace.commands.provenance import machine_facts, package_versions
from punie.trace.commands.reporting import Judgement, conclude, load_run
from punie.trace.commands.settings import RunSettings, read_settings, server_warnings
from punie.trace.commands.shipping import read_sending
from punie.trace.errors import ExportError, PunieTraceError
from punie.trace.server import (
    AttachedServer,
    MemorySampler,
    Server,
    ServerConfig,
    ServerProcess,
    build_server_command,
    recommended_limit,
)
from punie.trace.store.runs.run_folder import RunFolder
from punie.trace.store.runs.run_plan import RunPlan
from punie.trace.store.runs.server_log import SPANS_LOST
from punie.trace.workload.plan import plan_queries

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Iterator, Mapping

    from pydantic_ai import Agent

    from punie.trace.model import SpanSet
    from punie.trace.telemetry.journal.journal import JournalStatus
    from punie.trace.telemetry.provider import Telemetry
    from punie.trace.workload.runner import Session
    from punie.trace.workload.turns import Turns


def run_suite(options: argparse.Namespace) -> int:
    """Run the suite and report. Returns the gates' exit code; raises PunieTraceError."""
    settings = read_settings(options)
    page = JaegerPage.of(options.jaeger)
    sending = read_sending(options)
    agent = _agent(settings)
    folder, plan = _new_run(settings, options)
    progress = ConsoleProgress(len(plan.planned))
    progress.say(f"spans and log: {folder.path}")
    for line in server_warnings(settings.server) if settings.server else ():
        progress.say(line)
    following = sending.following(folder.spans_dir, progress, state_folder=folder.path)
    with ExitStack() as until_reported:
        with _naming_folder(folder, progress), following as sent:
            journal = asyncio.run(_Run(settings, agent, folder, plan, progress, until_reported).execute())
        loaded = load_run(folder)
        code = conclude(loaded, Judgement.of(options), options)
    for line in link_lines(loaded.spans.spans, page, sent=sent.accepted > 0):
        progress.say(line)
    _raise_if_lost(journal, loaded.spans)
    return code


def _raise_if_lost(journal: JournalStatus, spans: SpanSet) -> None:
    """The report is out, and says it too; but who only looks at the exit code must not take it for whole."""
    lost = [note.case for note in spans.notes if note.slug == SPANS_LOST]
    if journal.lost:
        lost.append(f"{journal.lost} of the agent's: {journal.last_error}")
    if lost:
        raise ExportError(f"spans could not be written: {'; '.join(lost)}", remedy="Make room and run again.")


def _agent(settings: RunSettings) -> Agent[Any, Any]:
    from punie.trace.workload.agent import default_agent, load_agent

    return load_agent(settings.agent) if settings.agent else default_agent(settings.workspace)


def _new_run(settings: RunSettings, options: argparse.Namespace) -> tuple[RunFolder, RunPlan]:
    created = datetime.now().astimezone()
    label = "attached" if settings.base_url else settings.model_label
    folder = RunFolder.create(options.runs, f"{created:%Y-%m-%dT%H-%M-%S}-{label}")
    plan = RunPlan(
        run_id=folder.path.name,
        suite_name=settings.suite.name,
        suite_hash=settings.suite.sha256,
        planned=plan_queries(
            settings.suite, repeats=settings.repeats, server_starts=settings.starts, seed=settings.seed
        ),
        model=settings.model_label,
        draft=settings.draft_label,
        cache=settings.cache,
        seed=settings.seed,
        created=created.isoformat(timespec="seconds"),
        settings=settings.as_text(),
        versions=package_versions(),
        machine=machine_facts(),
    )
    folder.write_plan(plan)
    return folder, plan


@contextmanager
def _naming_folder(folder: RunFolder, progress: ConsoleProgress) -> Iterator[None]:
    """However the run ends early, say where what was recorded is."""
    try:
        yield
    except (PunieTraceError, KeyboardInterrupt, asyncio.CancelledError) as error:
        progress.say(f"the run ended early; what was recorded: punie-trace report {folder.path}")
        if isinstance(error, asyncio.CancelledError):  # SIGTERM, see _Run.execute
            raise KeyboardInterrupt from error
        raise


@dataclass(frozen=True, slots=True)
class _Run:
    settings: RunSettings
    agent: Agent[Any, Any]
    folder: RunFolder
    plan: RunPlan
    progress: ConsoleProgress
    until_reported: ExitStack

    async def execute(self) -> JournalStatus:
        """All server starts, one after the other. Returns what became of the agent's spans."""
        from punie.trace.telemetry.instrument import every_agent_instrumented, instrument
        from punie.trace.telemetry.provider import configure

        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        telemetry = configure(self.folder.spans_dir)
        try:
            instrument(self.agent, telemetry=telemetry)
            session = self._session(telemetry, await self._turns())
            session.check()
            with every_agent_instrumented(telemetry), self.progress.shown():
                for start in range(self.settings.starts):
                    await self._server_start(session, start)
        finally:
            telemetry.shutdown()
        return telemetry.journal.status

    async def _turns(self) -> Turns:
        """It is this run's turn, but where it passes it on, until the report is written."""
        from punie.trace.workload.turns import NoTurns, SharedTurns

        if self.settings.turns is None:
            return NoTurns()
        turns = SharedTurns(self.settings.turns, self.progress.say)
        self.until_reported.callback(turns.close)
        await turns.join(self.settings.ready_timeout_s)
        await turns.take()
        return turns

    def _session(self, telemetry: Telemetry, turns: Turns) -> Session:
        from punie.trace.workload.runner import Session

        return Session(
            suite=self.settings.suite,
            telemetry=telemetry,
            run_id=self.plan.run_id,
            cache=self.settings.cache,
            recommended_memory_bytes=None if self.settings.base_url else recommended_limit().limit_bytes,
            progress=self.progress,
            turns=turns,
        )

    async def _server_start(self, session: Session, start: int) -> None:
        from punie.trace.workload.agent import server_model
        from punie.trace.workload.ask import Asker
        from punie.trace.workload.runner import run_server_start

        self.progress.starting(start, self.settings.starts, self.settings.model_label)
        timeout_s = self.settings.query_timeout_s
        async with self._server() as (server, request_defaults):
            self._remember_command(server)
            model = server_model(server.base_url, server.model_name, request_defaults, timeout_s=timeout_s)
            asker = Asker(self.agent, model, self.settings.stream, timeout_s, session.telemetry.clock)
            await run_server_start(session, asker, server, self.plan.planned, start)

    @asynccontextmanager
    async def _server(self) -> AsyncIterator[tuple[_Watched, Mapping[str, object]]]:
        from punie.trace.telemetry.mlx.hook import HOOK, SPANS_VARIABLE

        ready_timeout_s = self.settings.ready_timeout_s
        if self.settings.server is None:
            async with AttachedServer(
                self.settings.base_url or "", ready_timeout_s=ready_timeout_s
            ) as attached:
                yield _Watched(attached, None), {}
            return
        process = ServerProcess(
            self.settings.server,
            self.folder.log_path,
            ready_timeout_s=ready_timeout_s,
            env=os.environ | {SPANS_VARIABLE: str(self.folder.spans_dir.absolute())},
            build_command=partial(_command, hook=None if self.settings.plain_server else HOOK),
        )
        async with process:
            for why in process.says(semconv.LOG_NOT_TRACED):
                self.progress.say(f"{semconv.LOG_NOT_TRACED} {why}")
            with MemorySampler(process.pid or 0) as sampler:
                yield _Watched(process, sampler), self.settings.server.request_defaults()

    def _remember_command(self, server: _Watched) -> None:
        if isinstance(server.server, ServerProcess):
            self.folder.write_plan(replace(self.plan, server_command=server.server.command))


def _command(config: ServerConfig, port: int, *, hook: str | None) -> tuple[str, ...]:
    return build_server_command(config, port=port, hook=hook)


@dataclass(frozen=True, slots=True)
class _Watched:
    """A server and the memory that its process takes; no sampler for a server that isn't ours."""

    server: Server
    sampler: MemorySampler | None

    @property
    def base_url(self) -> str:
        return self.server.base_url

    @property
    def model_name(self) -> str:
        return self.server.model_name

    async def check(self) -> None:
        await self.server.check()

    def peak_memory_bytes(self) -> int | None:
        if self.sampler is None:
            return None
        usage = self.sampler.usage()
        return usage.peak_bytes if usage.samples else None
