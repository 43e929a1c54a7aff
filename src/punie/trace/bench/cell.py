"""One server start: warm up, ask, check what was declared, return what is to be written down."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import psutil

from punie.trace import semconv
from punie.trace.analysis.experiment.arms import PromptCache
from punie.trace.analysis.speculative.model import Arm
from punie.trace.bench.documents import CellRecord, CellStatus
from punie.trace.bench.listener import Listener
from punie.trace.bench.plan import Cell, plan_asks
from punie.trace.bench.runtime import Runtime, request_fields
from punie.trace.errors import ServerError
from punie.trace.model import SpanKind
from punie.trace.serving.traced_server import ServerFiles, ServerTracing, TracedServer
from punie.trace.store.runs.run_folder import RunFolder
from punie.trace.store.runs.run_plan import RunPlan, RunSettings

if TYPE_CHECKING:
    from punie.trace.telemetry.provider import Telemetry
    from punie.trace.workload.ask import Asker
    from punie.trace.workload.runner import Session


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
        began_ns, swap_before = time.time_ns(), psutil.swap_memory()
        telemetry = configure(self.folder.spans_dir)
        server = self._server()
        try:
            await self._serve(telemetry, server)
        finally:
            uninstrument_http(telemetry)
            telemetry.shutdown()
        swap = psutil.swap_memory()
        record = CellRecord(
            CellStatus.DONE,
            self.cell.name,
            self.cell.block,
            arms=tuple(arm.name for arm in self.cell.arms),
            server_start=self.start_id,
            began_ns=began_ns,
            took_ns=time.time_ns() - began_ns,
            ready_after_ns=server.ready_after_ns,
            peak_footprint_bytes=server.peak_memory_bytes(),
            swap_used_bytes=swap.used,
            swapped_in_bytes=swap.sin - swap_before.sin,
            swapped_out_bytes=swap.sout - swap_before.sout,
        )
        return self._with_requests(record)

    async def _serve(self, telemetry: Telemetry, server: TracedServer) -> None:
        from punie.trace.telemetry.instrument import instrument
        from punie.trace.workload.agent import server_model
        from punie.trace.workload.ask import Asker

        subject, timeout_s = self.runtime.subject(), self.runtime.query_timeout_s
        instrument(subject.agent, telemetry=telemetry)
        async with server:
            models = {
                arm.name: server_model(
                    server.address, server.model_name, request_fields(arm), timeout_s=timeout_s
                )
                for arm in self.cell.arms
            }
            askers = {
                name: Asker(subject, model, stream=True, timeout_s=timeout_s, clock=telemetry.clock)
                for name, model in models.items()
            }
            self.folder.write_plan(self._plan(server.command))
            await self._ask_all(self._session(telemetry), askers, server)

    def _session(self, telemetry: Telemetry) -> Session:
        from punie.trace.workload.runner import Session

        return Session(
            suite=self.runtime.suite,
            telemetry=telemetry,
            run_id=self.start_id,
            cache=self.cell.cache.value,
            recommended_memory_bytes=self.recommended_bytes,
            progress=self.progress,
        )

    async def _ask_all(self, session: Session, askers: Mapping[str, Asker], server: TracedServer) -> None:
        from punie.trace.workload.runner import WARMUP_TEXTS, Warmup, ask, warm_up

        session.check()
        queries = {query.id: query for query in self.runtime.suite.queries}
        self.progress.warming_up(self.cell.number)
        for arm in self.cell.arms:
            for position, text in enumerate(WARMUP_TEXTS):
                warmup = Warmup(text, self.cell.number, position)
                await warm_up(session, askers[arm.name], server, warmup, self._labels(arm))
        for item in plan_asks(self.runtime.plan, self.cell):
            self.progress.asking(item.planned)
            query = queries[item.planned.query_id]
            await ask(session, askers[item.arm.name], server, query, item.planned, self._labels(item.arm))

    def _labels(self, arm: Arm) -> dict[str, str | int]:
        return {
            semconv.BENCH_ARM: arm.name,
            semconv.BENCH_BLOCK: self.cell.block,
            semconv.BENCH_SERVER_START: self.start_id,
        }

    def _server(self) -> TracedServer:
        return TracedServer(
            self.runtime.server(self.cell),
            ServerFiles(self.folder.spans_dir, self.folder.log_path),
            ServerTracing(token_ids=True),
            ready_timeout_s=self.runtime.ready_timeout_s,
        )

    def _plan(self, command: tuple[str, ...]) -> RunPlan:
        plan = self.runtime.plan
        return RunPlan(
            run_id=self.start_id,
            suite_name=plan.suite_name,
            suite_hash=plan.suite_hash,
            planned=tuple(item.planned for item in plan_asks(plan, self.cell)),
            model=plan.model,
            draft=None if self.cell.draft is None else plan.drafts[self.cell.draft],
            cache=self.cell.cache.value,
            seed=plan.seed,
            created=plan.created,
            server_command=command,
            settings=RunSettings(demo_model=plan.is_demo),
            versions=plan.versions,
            machine=plan.machine,
        )

    def _with_requests(self, record: CellRecord) -> CellRecord:
        """With what the server served. Raises ServerError where it used a prompt cache that was declared off."""
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
