"""Asking a suite: server starts, passes over its queries, every step as a span in a run folder."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.analysis.experiment.arms import AgentSettings, RequestSettings
from punie.trace.bench.runtime import recording_at, request_fields
from punie.trace.server.memory_limit import recommended_limit
from punie.trace.serving.model_server import ModelServer, UnstartedServer
from punie.trace.serving.traced_server import ServerFiles, TracedServer
from punie.trace.usecases.interruption import cancel_on

if TYPE_CHECKING:
    from punie.trace.console.progress import RunProgress
    from punie.trace.store.runs.run_folder import RunFolder
    from punie.trace.store.runs.run_plan import RunPlan
    from punie.trace.telemetry.journal.journal import JournalStatus
    from punie.trace.telemetry.provider import Telemetry
    from punie.trace.workload.runner import Session
    from punie.trace.workload.subject import Subject, SubjectSource
    from punie.trace.workload.suite import Suite
    from punie.trace.workload.turns import Turns

_TOOLS_IGNORED: Final = (
    "the model was given no tools: its chat template doesn't support them (the server logs that for each request); "
    "take a model with tool calling (`punie-trace doctor --model MODEL` looks at the template)"
)


@dataclass(frozen=True, slots=True)
class Workload:
    """How a suite is asked. `turns` is the folder in which another run that asks in turns is met.

    Of `settings` and `request` count what no flag of a run sets: what is added to the agent and to its requests.
    """

    suite: Suite
    subject: SubjectSource
    stream: bool
    query_timeout_s: float
    ready_timeout_s: float
    turns: Path | None = None
    settings: AgentSettings = field(default_factory=AgentSettings)
    request: RequestSettings = field(default_factory=RequestSettings)

    def request_fields(self) -> dict[str, object]:
        """What a request says that the server isn't started with."""
        only = replace(self.request, max_tokens=None, temperature=None, top_p=None, num_draft_tokens=None)
        return request_fields(only)


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One execution of `plan`. The turns that it takes among other runs last until `until_reported` is closed."""

    workload: Workload
    folder: RunFolder
    plan: RunPlan
    server: UnstartedServer
    progress: RunProgress
    until_reported: ExitStack

    async def execute(self) -> JournalStatus:
        """All server starts, one after the other. Returns the outcome of the agent's spans."""
        from punie.trace.telemetry.instrument import every_agent_instrumented, instrument
        from punie.trace.telemetry.provider import configure

        cancel_on(signal.SIGTERM)
        telemetry = configure(self.folder.spans_dir)
        try:
            async with self.workload.subject.opened(self.progress.log) as subject:
                instrument(subject.agent, telemetry=telemetry)
                session = self._session(telemetry, await self._turns())
                session.check()
                with every_agent_instrumented(telemetry), self.progress.shown():
                    for start in range(self.plan.settings.server_starts):
                        await self._server_start(session, subject, start)
        finally:
            telemetry.shutdown()
        return telemetry.journal.status

    async def _turns(self) -> Turns:
        """It is this run's turn, but where it passes it on, until the report is written."""
        from punie.trace.workload.turns import NoTurns, SharedTurns

        if self.workload.turns is None:
            return NoTurns()
        turns = SharedTurns(self.workload.turns, self.progress.log)
        self.until_reported.callback(turns.close)
        await turns.join(self.workload.ready_timeout_s)
        await turns.take()
        return turns

    def _session(self, telemetry: Telemetry, turns: Turns) -> Session:
        from punie.trace.workload.runner import Session

        return Session(
            suite=self.workload.suite,
            telemetry=telemetry,
            run_id=self.plan.run_id,
            cache=self.plan.cache,
            recommended_memory_bytes=recommended_limit().limit_bytes if self.server.is_ours else None,
            progress=self.progress,
            turns=turns,
        )

    async def _server_start(self, session: Session, subject: Subject, start: int) -> None:
        from punie.trace.workload.agent import server_model
        from punie.trace.workload.agent_runner import AgentRunner
        from punie.trace.workload.runner import run_server_start

        self.progress.starting(start, self.plan.settings.server_starts, self.plan.model)
        timeout_s = self.workload.query_timeout_s
        files = ServerFiles(self.folder.spans_dir, self.folder.log_path)
        async with self.server.new(files, self.workload.ready_timeout_s, self.progress.log) as server:
            self._note_start(server)
            request_settings = {**server.request_settings(), **self.workload.request_fields()}
            model = server_model(server.address, server.model_name, request_settings, timeout_s=timeout_s)
            settings = self.workload.settings
            runner = AgentRunner(
                subject,
                model,
                self.workload.stream,
                timeout_s,
                session.telemetry.clock,
                instruction=settings.instruction,
                tool_result_characters=settings.tool_result_characters,
                recording=recording_at(settings.replay),
            )
            await run_server_start(session, runner, server, self.plan.planned, start)
            if isinstance(server, TracedServer) and server.ignores_tools():
                self.progress.log(_TOOLS_IGNORED)

    def _note_start(self, server: ModelServer) -> None:
        if isinstance(server, TracedServer):
            self.folder.write_plan(replace(self.plan, server_command=server.command))
            for reason in server.why_not_traced():
                self.progress.log(f"the server writes no spans: {reason}")
