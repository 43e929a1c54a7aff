"""One server start: warm up, ask, check what was declared, write down that it is done."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import psutil

from punie.trace import semconv
from punie.trace.analysis.speculative.model import Arm, PromptCache
from punie.trace.bench.plan import Cell, plan_asks
from punie.trace.bench.runtime import Runtime, request_fields
from punie.trace.errors import ServerError
from punie.trace.model import SpanKind
from punie.trace.server import MemorySampler, ServerConfig, ServerProcess, build_server_command
from punie.trace.store.runs.run_folder import RunFolder
from punie.trace.store.runs.run_plan import RunPlan, RunSettings

if TYPE_CHECKING:
    from punie.trace.bench.listener import Listener
    from punie.trace.telemetry.provider import Telemetry
    from punie.trace.workload.ask import Asker

STATUS_DONE = "done"
STATUS_FAILED = "failed"


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

    async def execute(self) -> dict[str, Any]:
        """Start the server, ask everything, stop it. Returns what `cell.json` says; raises ServerError."""
        from punie.trace.telemetry.http.transports import uninstrument_http
        from punie.trace.telemetry.provider import configure

        self.folder.spans_dir.mkdir(parents=True)
        self.folder.write_plan(self._plan(()))
        began_ns, swap_before = time.time_ns(), psutil.swap_memory()
        telemetry = configure(self.folder.spans_dir)
        try:
            facts = await self._serve(telemetry)
        finally:
            uninstrument_http(telemetry)
            telemetry.shutdown()
        swap = psutil.swap_memory()
        return {
            "status": STATUS_DONE,
            "name": self.cell.name,
            "block": self.cell.block,
            "arms": [arm.name for arm in self.cell.arms],
            "server_start": self.start_id,
            "began_ns": began_ns,
            "took_ns": time.time_ns() - began_ns,
            **facts,
            **self._cached_tokens(),
            "swap_used_bytes": swap.used,
            "swapped_in_bytes": swap.sin - swap_before.sin,
            "swapped_out_bytes": swap.sout - swap_before.sout,
        }

    async def _serve(self, telemetry: Telemetry) -> dict[str, Any]:
        from punie.trace.telemetry.instrument import instrument
        from punie.trace.workload.agent import server_model
        from punie.trace.workload.ask import Asker

        subject = self.runtime.subject()
        instrument(subject.agent, telemetry=telemetry)
        async with self._server() as (process, watched):
            askers = {
                arm.name: Asker(
                    subject,
                    server_model(
                        process.base_url,
                        process.model_name,
                        request_fields(arm),
                        timeout_s=self.runtime.query_timeout_s,
                    ),
                    stream=True,
                    timeout_s=self.runtime.query_timeout_s,
                    clock=telemetry.clock,
                )
                for arm in self.cell.arms
            }
            self.folder.write_plan(self._plan(process.command))
            await self._ask_all(telemetry, askers, watched)
            return {
                "ready_after_ns": process.ready_ns - process.started_ns,
                "peak_footprint_bytes": watched.peak_memory_bytes(),
            }

    async def _ask_all(self, telemetry: Telemetry, askers: Mapping[str, Asker], server: Watched) -> None:
        from punie.trace.workload.runner import WARMUP_TEXTS, Session, Warmup, ask, warm_up

        session = Session(
            suite=self.runtime.suite,
            telemetry=telemetry,
            run_id=self.start_id,
            cache=self.cell.cache.value,
            recommended_memory_bytes=self.recommended_bytes,
            progress=self.progress,
        )
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

    @asynccontextmanager
    async def _server(self) -> AsyncIterator[tuple[ServerProcess, Watched]]:
        from punie.trace.telemetry.mlx.hook import HOOK, SPANS_VARIABLE, TOKENS_VARIABLE

        spans = str(self.folder.spans_dir.absolute())
        process = ServerProcess(
            self.runtime.server(self.cell),
            self.folder.log_path,
            ready_timeout_s=self.runtime.ready_timeout_s,
            env=os.environ | {SPANS_VARIABLE: spans, TOKENS_VARIABLE: "1"},
            build_command=partial(_command, hook=HOOK),
        )
        async with process:
            with MemorySampler(process.pid or 0) as sampler:
                yield process, Watched(process, sampler)

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

    def _cached_tokens(self) -> dict[str, int]:
        """What the server took from its prompt cache. Raises ServerError where the cache was declared off."""
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
        return {"cached_tokens": cached, "requests": len(served)}


def _command(config: ServerConfig, port: int, *, hook: str) -> tuple[str, ...]:
    return build_server_command(config, port=port, hook=hook)


@dataclass(frozen=True, slots=True)
class Watched:
    """A server and the memory that its process takes."""

    process: ServerProcess
    sampler: MemorySampler

    async def check(self) -> None:
        """Raise ServerError if it can't answer any more."""
        await self.process.check()

    def peak_memory_bytes(self) -> int | None:
        """The largest footprint so far, None before the first sample."""
        usage = self.sampler.usage()
        return usage.peak_bytes if usage.samples else None
