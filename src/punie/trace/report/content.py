"""What a report is made from: the analysis and what it is about."""

from __future__ import annotations

from collections.abc import Mapping  # at run time too: what is published of a run follows from these types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from punie.trace.analysis.causes.model import Cause
from punie.trace.analysis.summary.summary import RunAnalysis

if TYPE_CHECKING:  # a report of a run should not wait for the analysis of a benchmark
    from punie.trace.analysis.comparison.compare import Comparison
    from punie.trace.analysis.comparison.gate import GateResult
    from punie.trace.analysis.decision.decision import Decision
    from punie.trace.analysis.experiment.observation import Observation
    from punie.trace.analysis.experiment.results import Experiment
    from punie.trace.analysis.improvement.model import ImprovementEnding, Stage
    from punie.trace.analysis.improvement.planner import ImprovementState
    from punie.trace.analysis.improvement.settings import ImproveSettings
    from punie.trace.analysis.improvement.track_record import PredictionResult, TrackRecord
    from punie.trace.analysis.records import QueryRecord
    from punie.trace.analysis.speculative.benchmark import BenchAnalysis
    from punie.trace.analysis.transcript.transcript import Transcript
    from punie.trace.analysis.waterfall.model import Waterfall
    from punie.trace.report.drawings import Drawings


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Where the spans are from and what was run; empty where the source doesn't say.

    `notes` are sentences that belong beside every number of this report (the demo model's caveat, say).
    Of several sources read together `source` names the first and `sources` all of them; else `sources` is empty.
    `spans` and `traces` are counts after duplicates were dropped, `planned` counts queries, None without a plan.
    """

    source: str
    spans: int
    traces: int
    run_id: str = ""
    created: str = ""
    suite: str = ""
    suite_hash: str = ""
    model: str = ""
    draft: str = ""
    cache: str = ""
    planned: int | None = None
    notes: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunContent:
    """One analysed source, ready to be written in any format; `drawings` are None where no spans are at hand.

    `causes` are what in the user's own code costs time. `settings` are the flags of the run that made it, by their
    names; empty where it isn't reported. `past` is how predictions of levers did on this machine.
    """

    about: SourceInfo
    analysis: RunAnalysis
    drawings: Drawings | None = None
    causes: tuple[Cause, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    past: tuple[TrackRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class ComparisonContent:
    """One comparison, ready to be written: the names of the sources on both sides, and what the gate said, if any."""

    a: tuple[str, ...]
    b: tuple[str, ...]
    comparison: Comparison
    gate: GateResult | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BenchContent:
    """One analysed benchmark. `source` is its folder, `notes` stand beside every number, `steps` are what to do now.

    `observations` are what it was analysed from.
    """

    source: str
    analysis: BenchAnalysis
    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    observations: tuple[Observation, ...] = ()


@dataclass(frozen=True, slots=True)
class ImprovementContent:
    """An improvement that ended. `source` is its folder, `history` what predictions on this machine came to before.

    `experiments` are its stages, analysed; `notes` stand beside every number.
    """

    source: str
    settings: ImproveSettings
    state: ImprovementState
    ending: ImprovementEnding
    baseline: RunContent
    experiments: Mapping[Stage, Experiment]
    history: tuple[PredictionResult, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DecisionContent:
    """A decision and what it was made from: the run, the folders of what was measured, and notes beside every number.

    `run_report` and `bench_report` say where the numbers are from.
    """

    run: str
    benches: tuple[str, ...]
    decision: Decision
    notes: tuple[str, ...] = ()
    run_report: RunContent | None = None
    bench_report: BenchContent | None = None


@dataclass(frozen=True, slots=True)
class QueryContent:
    """One query, drawn and quoted. `others` are further queries of its source; `full` quotes long texts whole."""

    source: str
    waterfall: Waterfall
    transcript: Transcript
    drawings: Drawings
    others: tuple[QueryRecord, ...] = ()
    full: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExperimentContent:
    """One analysed experiment of any arms. `source` is its folder, `notes` stand beside every number."""

    source: str
    analysis: Experiment
    notes: tuple[str, ...] = ()
