"""Running an improvement: the baseline, what follows from it, and every stage until it ends. What is done is kept."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace import semconv
from punie.trace.analysis.causes.prompts import read_prompts
from punie.trace.analysis.causes.tools import ResultRead, read_results
from punie.trace.analysis.experiment.configuration import configuration_text, whole
from punie.trace.analysis.experiment.plan import SAME_AGAIN_SUFFIX
from punie.trace.analysis.experiment.results import Experiment
from punie.trace.analysis.improvement.model import (
    ImprovementEnding,
    LeverCandidate,
    LeverPrediction,
    Stage,
    StagePlan,
)
from punie.trace.analysis.improvement.planner import ImprovementState, Sizes
from punie.trace.analysis.improvement.ranking import LeverChoice, rank
from punie.trace.analysis.improvement.track_record import PredictionResult
from punie.trace.analysis.pipeline import RecordedSource, read_several
from punie.trace.bench.improve_folder import ImproveFolder
from punie.trace.bench.improve_stages import BASELINE, RealExecutor, RecordedExecutor
from punie.trace.bench.improving import improve
from punie.trace.bench.levers.lever import Evidence, Lever, LeverSetting, TrialCost
from punie.trace.bench.levers.registry import LEVERS, parse_change
from punie.trace.bench.plan import plan_cells
from punie.trace.model import Span, SpanSet
from punie.trace.report.content import ImprovementContent
from punie.trace.report.wording.improvement import headline
from punie.trace.server.memory_limit import recommended_limit
from punie.trace.store.predictions import add_to_history, machine_name, read_history
from punie.trace.units import count_text
from punie.trace.usecases.about import DEMO_NOTE
from punie.trace.usecases.interruption import cancel_on
from punie.trace.usecases.load import LoadedSource
from punie.trace.usecases.run_report import VerdictTargets, build_report

if TYPE_CHECKING:
    from punie.trace.analysis.experiment.arms import Arm
    from punie.trace.analysis.experiment.plan import ExperimentPlan
    from punie.trace.analysis.improvement.model import StageMeasurement
    from punie.trace.analysis.improvement.settings import ImproveSettings
    from punie.trace.console.bench_progress import BenchProgress
    from punie.trace.report.content import RunContent

_STAGES: Final = {
    Stage.BASELINE: "baseline",
    Stage.SCREENING: "screening: each lever by itself",
    Stage.COMBINATION: "combination: those that help, together",
    Stage.CONFIRMATION: "confirmation: in fresh blocks",
    Stage.RUNNER_UP: "the runner-up, in fresh blocks: the first broke a gate",
}


async def improve_in(
    folder: ImproveFolder, settings: ImproveSettings, progress: BenchProgress
) -> ImprovementContent:
    """Measure until it ends. Raises PunieTraceError; what is measured by then is kept."""

    def begins(stage: StagePlan, plan: ExperimentPlan) -> None:
        progress.plan(plan_cells(plan))
        arms = f"{count_text(len(plan.arms), 'arm')} × {count_text(plan.blocks, 'block')}"
        progress.log(f"{_STAGES[stage.stage]} ({arms})")

    cancel_on(signal.SIGTERM)
    executor = RealExecutor(
        folder,
        settings,
        progress=progress,
        recommended_bytes=recommended_limit().limit_bytes,
        begins=begins,
    )
    with progress.shown():
        report = await _Improving(folder, settings).run(executor)
    if settings.history:
        before = frozenset(report.history)
        add_to_history(result for result in results(report.state, settings) if result not in before)
    return report


def read_improvement(path: Path) -> ImprovementContent:
    """The report of the improvement at `path`, from what it left behind. Raises InputError if it hasn't ended."""
    folder = ImproveFolder.open(path)
    settings = folder.read_settings()
    return asyncio.run(_Improving(folder, settings).run(RecordedExecutor(folder, settings)))


@dataclass
class _Improving:
    """One improvement in its folder; `baseline` is known once the first stage is measured."""

    folder: ImproveFolder
    settings: ImproveSettings
    baseline: RunContent | None = None
    _reads: tuple[ResultRead, ...] = ()

    async def run(self, executor: RecordedExecutor) -> ImprovementContent:
        """From the baseline to the report. Raises what the executor raises."""
        state, ending = await improve(executor, self._ranked)
        return self._report(state, ending, executor.experiments())

    def _ranked(self, _measured: StageMeasurement) -> ImprovementState:
        """What is to be tried, by the baseline's own spans."""
        self.baseline = self._read_baseline()
        arm = self.settings.baseline
        experiment = self.baseline.analysis
        evidence = Evidence(arm, experiment.records, experiment, self.baseline.causes, self._reads)
        choice = LeverChoice(frozenset(self.settings.only), frozenset(self.settings.without))
        return ImprovementState(rank(tuple(candidates(evidence, self.settings.levers)), choice), {}, Sizes())

    def _read_baseline(self) -> RunContent:
        """The baseline's queries, of both arms that ask as it does, as one source."""
        spans = tuple(
            span
            for run in self.folder.stage(Stage.BASELINE).finished_runs()
            for span in run.load_spans().spans
        )
        source = LoadedSource.of(str(self.folder.path), SpanSet(_of_arms(spans)))
        requests = read_several([RecordedSource(source.spans)]).requests
        self._reads = tuple(read_results(read_prompts(requests, source.spans.spans), longer_than=0))
        return build_report(source, VerdictTargets(self.settings.target_ns, self.settings.max_memory_bytes))

    def _report(
        self, state: ImprovementState, ending: ImprovementEnding, experiments: Mapping[Stage, Experiment]
    ) -> ImprovementContent:
        if self.baseline is None:
            raise AssertionError("an improvement ended before its baseline")
        return ImprovementContent(
            source=str(self.folder.path),
            settings=self.settings,
            state=state,
            ending=ending,
            baseline=self.baseline,
            experiments=experiments,
            history=read_history(),
            notes=(DEMO_NOTE,) if self.settings.is_demo else (),
        )


def candidates(evidence: Evidence, named: Sequence[str]) -> Iterator[LeverCandidate]:
    """Every lever at every value that is worth trying here, and those that can't be tried, with the reason."""
    changes = [parse_change(text) for text in named]
    for lever in LEVERS:
        why_not = lever.applies(evidence.arm)
        own = [change.value for change in changes if change.lever is lever]
        values = (*own, *(value for value in lever.propose(evidence) if value not in own))
        if why_not or not values:
            why = why_not or _nothing_proposed(lever)
            yield LeverCandidate(lever.name, lever.title, lever.name, lever.output, None, why, lever.not_with)
            continue
        for value in values:
            yield _candidate(LeverSetting(lever, value), evidence)


def _nothing_proposed(lever: Lever) -> str:
    if lever.cost is TrialCost.OTHER_MODEL:
        return f"needs --lever {lever.name}=…"
    value = f" (--lever {lever.name}=… tries it all the same)" if lever.value else ""
    return f"nothing here that it could change{value}"


def _candidate(change: LeverSetting, evidence: Evidence) -> LeverCandidate:
    lever = change.lever
    saving = lever.predict(evidence, change.value)
    predicted = (
        None if saving is None else LeverPrediction(saving.share, saving.low, saving.high, saving.assuming)
    )
    title = f"{lever.title}: {change.value}" if change.value else lever.title
    why = "" if predicted else lever.unpredicted
    return LeverCandidate(
        change.name, title, lever.name, lever.output, predicted, not_with=lever.not_with, unpredicted=why
    )


def static_candidates(arm: Arm, named: Sequence[str]) -> Iterator[LeverCandidate]:
    """What can be said of the levers before anything was asked."""
    changes = [parse_change(text) for text in named]
    for lever in LEVERS:
        why_not = lever.applies(arm)
        own = [change for change in changes if change.lever is lever]
        missing = lever.cost is TrialCost.OTHER_MODEL and not (own or lever.propose(Evidence(arm, ())))
        why_not = why_not or (f"needs --lever {lever.name}=…" if missing else "")
        for change in own or [LeverSetting(lever)]:
            yield LeverCandidate(change.name, lever.title, lever.name, lever.output, None, why_not)


def results(state: ImprovementState, settings: ImproveSettings) -> Iterator[PredictionResult]:
    """Each lever that was predicted and measured."""
    for lever in state.screened:
        predicted = lever.candidate.prediction
        if predicted is None or not lever.speed_up:
            continue
        ends = lever.interval
        yield PredictionResult(
            kind=lever.candidate.kind,
            lever=lever.candidate.kind,  # its value may be a path
            when=settings.created,
            machine=machine_name(),
            suite=settings.suite_hash,
            predicted=predicted.share,
            predicted_low=predicted.low,
            predicted_high=predicted.high,
            measured=_share(lever.speed_up),
            measured_low=_share(ends.low) if ends and ends.low > 0 else None,
            measured_high=_share(ends.high) if ends else None,
        )


def _share(speed_up: float) -> float:
    """Of the baseline's time, what a speed-up saves."""
    return 1 - 1 / speed_up


def _of_arms(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The traces of the baseline's arms alone."""
    names = {BASELINE, f"{BASELINE}{SAME_AGAIN_SUFFIX}"}
    wanted = {span.trace_id for span in spans if semconv.text(span.attributes, semconv.BENCH_ARM) in names}
    return tuple(span for span in spans if span.trace_id in wanted)


def max_executions() -> int:
    """How often each query is asked in one arm, at most: in every stage that the arm may come to."""
    sizes = Sizes()
    return sizes.baseline + sizes.screening[-1] + sizes.combination + sizes.looks[-1]


def won_configuration(report: ImprovementContent) -> str | None:
    """The text of `config.toml`: what has to be set to get what was confirmed; None where nothing was."""
    if report.ending is not ImprovementEnding.IMPROVED or not report.state.winner:
        return None
    experiment = report.experiments[report.state.stage]
    arm = next(result.arm for result in experiment.others if result.arm.levers == report.state.winner)
    comment = f"punie-trace improve, {report.settings.created}: {headline(report)}"
    return configuration_text(whole(experiment.baseline.arm, arm), comment)
