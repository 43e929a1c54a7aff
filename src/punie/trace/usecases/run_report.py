"""From spans to the report of a run: what `run` ends with and `report` says again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from punie.trace.analysis.calls.usage import models_asked
from punie.trace.analysis.causes.find import find_causes
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.summary.summary import analyse
from punie.trace.analysis.verdicts.memory import memory_use
from punie.trace.analysis.verdicts.target import DEFAULT_TARGET_NS
from punie.trace.report.content import About, Report
from punie.trace.report.inert import one_line
from punie.trace.store.runs.run_plan import RunSettings
from punie.trace.usecases.processes import in_processes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from punie.trace.analysis.records import QueryRecord
    from punie.trace.analysis.transcript.transcript import Transcript
    from punie.trace.analysis.waterfall.model import Waterfall
    from punie.trace.model import SpanSet
    from punie.trace.report.drawings import Drawings
    from punie.trace.store.runs.run_plan import RunPlan
    from punie.trace.usecases.load import Loaded

_NAMED_MODELS: Final = 3
DEMO_NOTE: Final = (
    "The demo model proves the plumbing and says nothing about the quality or speed of a real one."
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the user judges by; None leaves it to what the run was started with, then to the default."""

    target_ns: int | None = None
    max_memory_bytes: int | None = None

    def with_plan(self, plan: RunPlan | None) -> Judgement:
        """The run's own values where the user gave none."""
        settings = plan.settings if plan else RunSettings()
        return Judgement(
            self.target_ns or settings.target_ns or DEFAULT_TARGET_NS,
            self.max_memory_bytes or settings.max_memory_bytes,
        )


def build_report(loaded: Loaded, judgement: Judgement) -> Report:
    """Read the queries off the spans and judge them."""
    judged = judgement.with_plan(loaded.plan)
    planned = loaded.plan.planned if loaded.plan else ()
    read = read_queries(loaded.spans, planned, now_ns=loaded.now_ns, read_all=in_processes)
    analysis = analyse(
        read.records,
        read.findings,
        target_ns=judged.target_ns or DEFAULT_TARGET_NS,
        memory=memory_use(loaded.spans.spans, limit_bytes=judged.max_memory_bytes),
        missing=read.missing,
        requests=read.requests,
        activity=read.activity,
    )
    causes = find_causes(read.requests, loaded.spans.spans)
    drawings = drawings_of(loaded, read.records)
    return Report(_about(loaded), analysis, drawings, causes, _settings(loaded.plan))


def _settings(plan: RunPlan | None) -> dict[str, str]:
    """What the run was told, without what was left to a default that nobody knows."""
    if plan is None:
        return {}
    told = {"seed": plan.seed, **asdict(plan.settings), "server": " ".join(plan.server_command) or None}
    return {name.replace("_", "-"): str(value) for name, value in told.items() if value is not None}


def drawings_of(loaded: Loaded, records: Sequence[QueryRecord]) -> Drawings:
    """The waterfalls of `records`, all that was read of a source, and what was said in them."""
    from punie.trace.report.drawings import Drawings

    planned = loaded.plan.planned if loaded.plan else ()

    def draw(wanted: Collection[QueryRecord]) -> Iterator[Waterfall]:
        from punie.trace.analysis.waterfall.build import read_waterfalls

        return read_waterfalls(loaded.spans, wanted, planned, now_ns=loaded.now_ns)

    def quote(waterfall: Waterfall) -> Transcript:
        from punie.trace.analysis.transcript.transcript import read_transcript

        return read_transcript(waterfall, loaded.spans.spans)

    return Drawings(tuple(records), draw, quote)


def _about(loaded: Loaded) -> About:
    spans = {(span.trace_id, span.span_id) for span in loaded.spans.spans}
    traces = {trace_id for trace_id, _ in spans}
    plan = loaded.plan
    if plan is None:
        return About(loaded.source, len(spans), len(traces), model=_models(loaded.spans))
    is_demo = plan.settings.demo_model
    return About(
        source=loaded.source,
        spans=len(spans),
        traces=len(traces),
        run_id=plan.run_id,
        created=plan.created,
        suite=plan.suite_name,
        suite_hash=plan.suite_hash,
        model=f"model {plan.model}",
        draft=plan.draft or "",
        cache=plan.cache,
        planned=len(plan.planned) or None,
        notes=(DEMO_NOTE,) if is_demo else (),
        versions=plan.versions,
        machine=plan.machine,
    )


def _models(source: SpanSet) -> str:
    """The models that were asked, for the headline; empty where no span names one."""
    names = models_asked(source.spans)
    more = f" and {len(names) - _NAMED_MODELS} more" if len(names) > _NAMED_MODELS else ""
    named = ", ".join(one_line(name) for name in names[:_NAMED_MODELS])
    return f"{'model' if len(names) == 1 else 'models'} {named}{more}" if names else ""
