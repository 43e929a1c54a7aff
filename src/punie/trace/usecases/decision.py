"""From a run, and what was measured of the same model and suite, to a decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from punie.trace.analysis.decision.decision import decide
from punie.trace.analysis.decision.levers import NOTHING_TRIED, Trials, merge_trials, tried, tried_in
from punie.trace.analysis.experiment.summary import Limits
from punie.trace.analysis.tuning.training import Training
from punie.trace.analysis.verdicts.target import DEFAULT_TARGET_NS
from punie.trace.bench.folder import BenchFolder
from punie.trace.bench.improve_folder import ImproveFolder
from punie.trace.errors import UsageError
from punie.trace.report.content import BenchContent, DecisionContent, RunContent
from punie.trace.report.wording.improvement import VERDICTS, winner_arm
from punie.trace.tuning.folder import TrainingFolder
from punie.trace.usecases.bench_report import build_bench_report
from punie.trace.usecases.experiment import build_experiment_report
from punie.trace.usecases.improvement import read_improvement
from punie.trace.usecases.load import load_source
from punie.trace.usecases.run_report import VerdictTargets, build_report
from punie.trace.usecases.training_outputs import read_training

_T = TypeVar("_T")
_OTHER_SUITE: Final = "The run and {} asked different suites: what was measured there is about other queries."


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a folder says: of drafts, or of other levers."""

    source: str
    suite_hash: str
    notes: tuple[str, ...]
    drafts: BenchContent | None = None
    trained: Training | None = None
    levers: Trials = NOTHING_TRIED


def decide_from(run_source: str, folders: Sequence[Path], judgement: VerdictTargets) -> DecisionContent:
    """Read all and decide. Raises InputError, UsageError for two benchmarks of drafts, or two trainings."""
    loaded = load_source(run_source)
    judged = judgement.with_plan(loaded.plan)
    run = build_report(loaded, judgement)
    measured = [_read(folder, judged) for folder in folders]
    bench = _at_most_one([one.drafts for one in measured if one.drafts], "benchmarks of draft models")
    trained = _at_most_one([one.trained for one in measured if one.trained], "trainings")
    notes = dict.fromkeys(
        (*run.about.notes, *(note for one in measured for note in one.notes), *_mismatches(run, measured))
    )
    levers = merge_trials([one.levers for one in measured])
    decision = decide(run.analysis, bench.analysis if bench else None, levers, run.causes, trained)
    benches = tuple(one.source for one in measured)
    return DecisionContent(run.about.source, benches, decision, tuple(notes), run, bench)


def _at_most_one(items: Sequence[_T], what: str) -> _T | None:
    if len(items) > 1:
        raise UsageError(f"{len(items)} {what}", remedy="name one")
    return items[0] if items else None


def _read(folder: Path, judged: VerdictTargets) -> _Measured:
    """What `folder` is, and says. Raises InputError."""
    if ImproveFolder.is_at(folder):
        return _of_improvement(folder)
    if TrainingFolder.is_at(folder):
        trained = read_training(folder)
        return _Measured(trained.source, TrainingFolder(folder).read_plan().suite_hash, (), trained=trained)
    plan = BenchFolder.open(folder).read_plan()
    if plan.speculative is None:
        limits = Limits(judged.target_ns or DEFAULT_TARGET_NS, judged.max_memory_bytes)
        report = build_experiment_report(folder, limits)
        arms = tuple(tried_in(report.analysis, report.source))
        return _Measured(report.source, plan.suite_hash, report.notes, levers=Trials(arms))
    drafts = build_bench_report(folder, target_ns=judged.target_ns, max_memory_bytes=judged.max_memory_bytes)
    return _Measured(drafts.source, plan.suite_hash, drafts.notes, drafts)


def _of_improvement(folder: Path) -> _Measured:
    """What was, or was to be, confirmed."""
    report = read_improvement(folder)
    arm, confirmation = winner_arm(report), report.state.confirmation
    levers = Trials(in_vain=(report.source,))
    if arm is not None and confirmation is not None and confirmation.speed_up is not None:
        one = tried(arm, report.source, confirmation.speed_up, confirmation.interval, VERDICTS[report.ending])
        levers = Trials((replace(one, closed=report.state.closed, from_improvement=True),))
    return _Measured(report.source, report.settings.suite_hash, report.notes, levers=levers)


def _mismatches(run: RunContent, measured: Sequence[_Measured]) -> Iterator[str]:
    """All should have asked the same queries; if they say that they didn't, so does the report."""
    suite = run.about.suite_hash
    yield from (_OTHER_SUITE.format(one.source) for one in measured if suite and suite != one.suite_hash)
