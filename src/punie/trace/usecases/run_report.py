"""From spans to the report of a run: what `run` ends with and `report` says again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from punie.trace.analysis.causes.find import find_causes
from punie.trace.analysis.pipeline import RecordedSource, read_several
from punie.trace.analysis.summary.summary import analyse
from punie.trace.analysis.verdicts.memory import memory_use
from punie.trace.analysis.verdicts.target import DEFAULT_TARGET_NS
from punie.trace.errors import UsageError
from punie.trace.report.content import RunContent
from punie.trace.store.predictions import read_history
from punie.trace.store.runs.run_plan import RunSettings
from punie.trace.usecases.about import about_of, settings_of
from punie.trace.usecases.processes import in_processes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from punie.trace.analysis.improvement.track_record import TrackRecord
    from punie.trace.analysis.records import QueryRecord
    from punie.trace.analysis.transcript.transcript import Transcript
    from punie.trace.analysis.waterfall.model import Waterfall
    from punie.trace.model import Span
    from punie.trace.report.drawings import Drawings
    from punie.trace.store.runs.run_plan import RunPlan
    from punie.trace.usecases.load import LoadedSource


@dataclass(frozen=True, slots=True)
class VerdictTargets:
    """What the user judges by; None leaves it to what the run was started with, then to the default."""

    target_ns: int | None = None
    max_memory_bytes: int | None = None

    def with_plan(self, plan: RunPlan | None) -> VerdictTargets:
        """The run's own values where the user gave none."""
        settings = plan.settings if plan else RunSettings()
        return VerdictTargets(
            self.target_ns or settings.target_ns or DEFAULT_TARGET_NS,
            self.max_memory_bytes or settings.max_memory_bytes,
        )


def build_report(loaded: LoadedSource, judgement: VerdictTargets) -> RunContent:
    """Read the queries off the spans and judge them."""
    return build_report_of_several([loaded], judgement)


def build_report_of_several(sources: Sequence[LoadedSource], judgement: VerdictTargets) -> RunContent:
    """One report of sources that share no trace. Raises UsageError where their runs were judged by other limits."""
    judged = _judged(sources, judgement)
    read = read_several([_recorded(one) for one in sources], read_all=in_processes)
    spans = _spans(sources)
    analysis = analyse(
        read.records,
        read.findings,
        target_ns=judged.target_ns or DEFAULT_TARGET_NS,
        memory=memory_use(spans, limit_bytes=judged.max_memory_bytes),
        missing=read.missing,
        requests=read.requests,
        tools=read.tools,
    )
    causes = find_causes(read.requests, spans)
    drawings = drawings_of(sources, read.records)
    past = _past()
    return RunContent(about_of(sources), analysis, drawings, causes, settings_of(sources), past)


def _past() -> tuple[TrackRecord, ...]:
    """How predictions did on this machine."""
    history = read_history()
    if not history:
        return ()
    from punie.trace.analysis.improvement.track_record import track_records

    return track_records(history)


def _recorded(loaded: LoadedSource) -> RecordedSource:
    return RecordedSource(loaded.spans, loaded.plan.planned if loaded.plan else (), loaded.now_ns)


def _spans(sources: Sequence[LoadedSource]) -> Sequence[Span]:
    return sources[0].spans.spans if len(sources) == 1 else [s for one in sources for s in one.spans.spans]


def _judged(sources: Sequence[LoadedSource], judgement: VerdictTargets) -> VerdictTargets:
    """What all are judged by. Nobody can say which of two targets is meant."""
    each = [judgement.with_plan(one.plan) for one in sources]
    for name, flag in (("target_ns", "--target"), ("max_memory_bytes", "--max-memory")):
        if len({getattr(one, name) for one in each}) > 1:
            names = ", ".join(one.source for one in sources)
            raise UsageError(f"{names}: were run with different {flag}", remedy=f"name one with {flag}")
    return each[0]


def drawings_of(sources: Sequence[LoadedSource], records: Sequence[QueryRecord]) -> Drawings:
    """The waterfalls of `records`, all that was read of the sources, and what was said in them."""
    from punie.trace.report.drawings import Drawings

    def draw(wanted: Collection[QueryRecord]) -> Iterator[Waterfall]:
        from punie.trace.analysis.waterfall.build import read_waterfalls

        place = {span.trace_id: index for index, one in enumerate(sources) for span in one.spans.spans}
        drawn = []
        for index, one in enumerate(map(_recorded, sources)):
            own = [record for record in wanted if place[record.trace_id] == index]
            drawn.append(read_waterfalls(one.spans, own, one.planned, now_ns=one.now_ns))
        return (next(drawn[place[record.trace_id]]) for record in wanted)

    def quote(waterfall: Waterfall) -> Transcript:
        from punie.trace.analysis.transcript.transcript import read_transcript

        return read_transcript(waterfall, _spans(sources))

    return Drawings(tuple(records), draw, quote)
