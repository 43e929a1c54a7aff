"""One server start: warm up, ask, check what was declared, return what is to be written down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from punie.trace import semconv
from punie.trace.analysis.experiment.arms import Arm, PromptCache, ServerKind
from punie.trace.bench.disturbance import MachineState, disturbances, increase
from punie.trace.bench.documents import CellRecord, CellStatus
from punie.trace.bench.listener import Listener
from punie.trace.bench.plan import Cell, planned_queries
from punie.trace.bench.runtime import Runtime, recording_at, request_fields, subject_of
from punie.trace.bench.servers import server_of
from punie.trace.errors import ServerError
from punie.trace.model import SpanKind
from punie.trace.serving.model_server import ModelServer
from punie.trace.serving.traced_server import ServerFiles
from punie.trace.store.runs.run_folder import RunFolder
from punie.trace.store.runs.run_plan import RunPlan, RunSettings

if TYPE_CHECKING:
    from punie.trace.telemetry.provider import Telemetry
    from punie.trace.workload.agent_runner import AgentRunner
    from punie.trace.workload.runner import Session
    from punie.trace.workload.subject import Subject


@dataclass(frozen=True, slots=True)
class CellRun:
    """One attempt at a cell, in a run folder of its own."""

    runtime: Runtime
    cell: Cell
    folder: RunFolder
    progress: Listener
    recommended_bytes: int | None

    @property
    def start_id(self) -> str:
        """The id of this server start, unique among all benchmarks."""
        return f"{self.runtime.plan.bench_id}/{self.cell.name}"

    async def execute(self) -> CellRecord:
        """Start the server, ask everything, stop it. Raises ServerError."""
        from punie.trace.telemetry.http.transports import uninstrument_http
        from punie.trace.telemetry.provider import configure

        self.folder.spans_dir.mkdir(parents=True)
        self.folder.write_plan(self._plan(()))
        before = MachineState.now()
        telemetry = configure(self.folder.spans_dir)
        files = ServerFiles(self.folder.spans_dir, self.folder.log_path)
        server = server_of(self.cell).new(files, self.runtime.plan.ready_timeout, self.progress.log)
        try:
            await self._serve(telemetry, server)
        finally:
            uninstrument_http(telemetry)
            telemetry.shutdown()
        return self._with_requests(self._record(server, before, MachineState.now()))

    def _record(self, server: ModelServer, before: MachineState, after: MachineState) -> CellRecord:
        return CellRecord(
            CellStatus.DONE,
            self.cell.name,
            self.cell.block,
            arms=tuple(arm.name for arm in self.cell.arms),
            server_start=self.start_id,
            began_ns=before.wall_ns,
            took_ns=after.wall_ns - before.wall_ns,
            ready_after_ns=server.ready_after_ns,
            peak_footprint_bytes=server.peak_memory_bytes(),
            swap_used_bytes=after.swap_used_bytes,
            swapped_in_bytes=increase(before.swapped_in_bytes, after.swapped_in_bytes),
            swapped_out_bytes=increase(before.swapped_out_bytes, after.swapped_out_bytes),
            disturbed=disturbances(before, after),
        )

    async def _serve(self, telemetry: Telemetry, server: ModelServer) -> None:
        async with self._subjects_instrumented(telemetry) as subjects, server:
            self.folder.write_plan(self._plan(server.command))
            runners = {
                arm.name: self._runner(arm, subjects[arm.name], server, telemetry) for arm in self.cell.arms
            }
            await self._run_queries(telemetry, runners, server)

    @asynccontextmanager
    async def _subjects_instrumented(self, telemetry: Telemetry) -> AsyncIterator[Mapping[str, Subject]]:
        """The agent of each arm; arms with the same one share it."""
        from punie.trace.telemetry.instrument import instrument

        keys = {arm.name: (arm.agent.agent, arm.agent.workspace) for arm in self.cell.arms}
        sources = {keys[arm.name]: subject_of(arm.agent) for arm in self.cell.arms}
        async with AsyncExitStack() as until_done:
            subjects = {
                key: await until_done.enter_async_context(source.opened(self.progress.log))
                for key, source in sources.items()
            }
            for subject in subjects.values():
                instrument(subject.agent, telemetry=telemetry)
            yield {name: subjects[key] for name, key in keys.items()}

    def _runner(self, arm: Arm, subject: Subject, server: ModelServer, telemetry: Telemetry) -> AgentRunner:
        from punie.trace.workload.agent import server_model
        from punie.trace.workload.agent_runner import AgentRunner

        timeout_s = self.runtime.plan.query_timeout
        fields = request_fields(arm.request)
        return AgentRunner(
            subject,
            server_model(server.address, server.model_name, fields, timeout_s=timeout_s),
            stream=arm.agent.stream,
            timeout_s=timeout_s,
            clock=telemetry.clock,
            instruction=arm.agent.instruction,
            tool_result_characters=arm.agent.tool_result_characters,
            recording=recording_at(arm.agent.replay),
        )

    def _session(self, arm: Arm, telemetry: Telemetry) -> Session:
        from punie.trace.workload.runner import Session

        return Session(
            suite=self.runtime.suite_of(arm),
            telemetry=telemetry,
            run_id=self.start_id,
            cache=self.cell.cache.value,
            recommended_memory_bytes=self.recommended_bytes,
            progress=self.progress,
        )

    async def _run_queries(
        self, telemetry: Telemetry, runners: Mapping[str, AgentRunner], server: ModelServer
    ) -> None:
        from punie.trace.workload.runner import WARMUP_TEXTS, Warmup, run_query, warm_up

        sessions = {arm.name: self._session(arm, telemetry) for arm in self.cell.arms}
        self.progress.warming_up(self.cell.number)
        for arm in self.cell.arms:
            sessions[arm.name].check()
            for position, text in enumerate(WARMUP_TEXTS):
                warmup = Warmup(text, self.cell.number, position)
                await warm_up(sessions[arm.name], runners[arm.name], server, warmup, self._labels(arm))
        for item in planned_queries(self.runtime.plan, self.cell):
            self.progress.query_begins(item.planned)
            session, runner = sessions[item.arm.name], runners[item.arm.name]
            query = session.suite.query(item.planned.query_id)
            await run_query(session, runner, server, query, item.planned, self._labels(item.arm))

    def _labels(self, arm: Arm) -> dict[str, str | int]:
        return {
            semconv.BENCH_ARM: arm.name,
            semconv.BENCH_BLOCK: self.cell.block,
            semconv.BENCH_SERVER_START: self.start_id,
        }

    def _plan(self, command: tuple[str, ...]) -> RunPlan:
        plan, first = self.runtime.plan, self.cell.arms[0]
        return RunPlan(
            run_id=self.start_id,
            suite_name=plan.suite_name,
            suite_hash=plan.suite_hash,
            planned=tuple(item.planned for item in planned_queries(plan, self.cell)),
            model=first.server.model or first.server.program or first.server.base_url or "demo",
            draft=first.server.draft,
            cache=self.cell.cache.value,
            seed=plan.seed,
            created=plan.created,
            server_command=command,
            settings=RunSettings(demo_model=plan.is_demo),
            versions=plan.versions,
            machine=plan.machine,
        )

    def _with_requests(self, record: CellRecord) -> CellRecord:
        """With what our server served. Raises ServerError where it used a prompt cache that was declared off."""
        if self.cell.arms[0].server.kind is not ServerKind.MLX:
            return record
        spans = self.folder.load_spans().spans
        served = [span for span in spans if span.kind is SpanKind.SERVER]
        if not served:
            raise ServerError(
                f"{self.cell.name}: the server made no spans",
                remedy=f"see {self.folder.log_path}: this version of mlx_lm may be one that isn't known",
            )
        cached = sum(semconv.integer(span.attributes, semconv.CACHED_TOKENS) or 0 for span in served)
        if cached and self.cell.cache is PromptCache.OFF:
            raise ServerError(
                f"{self.cell.name}: the prompt cache is declared off, and {cached} tokens came from it"
            )
        return replace(record, cached_tokens=cached, requests=len(served))
