"""An experiment, analysed: how much faster each arm is than the baseline, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from msgspec.structs import replace

from punie.trace.analysis.experiment.arms import Arm, ExpectedOutput, PromptCache
from punie.trace.analysis.experiment.gates import (
    Gate,
    Resources,
    ScoredAnswer,
    accuracy_gate,
    closed,
    memory_gate,
    same_answers_gate,
    swap_gate,
)
from punie.trace.analysis.experiment.looks import Look, looks_of, overall_level
from punie.trace.analysis.experiment.measured import CellFacts, Measured, blocks_done
from punie.trace.analysis.experiment.observation import Observation
from punie.trace.analysis.experiment.pairing import comparable, wall_ns
from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.analysis.experiment.speedup import SpeedUp, moved_by, speed_up, widening
from punie.trace.analysis.experiment.summary import ArmSummary, Limits, expected_executions, summarise_arm
from punie.trace.analysis.experiment.tokens import TokenUse, token_use
from punie.trace.analysis.statistics.spread import Interval
from punie.trace.analysis.verdicts.assessment import Gap, Integrity, forbidding
from punie.trace.analysis.verdicts.target import DEFAULT_TARGET_NS
from punie.trace.model import Verdict


class StopReason(StrEnum):
    """Why there are no more blocks."""

    ALL_BLOCKS = "all-blocks"
    NARROW = "narrow-enough"
    DECIDED = "decided"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class ExperimentEnd:
    """After how many blocks it ended and why. `look` is the one whose level the intervals have.

    All intervals of all looks together hold at `overall_level`.
    """

    blocks: int
    why: StopReason
    look: Look
    overall_level: float


@dataclass(frozen=True, slots=True)
class ArmResult:
    """One arm. `speed_up` is end to end against the baseline; None for the baseline and where no pair counts.

    `interval` is that of the speed-up as `verdict` uses it: wide enough for all arms at once, and moved outwards where
    two identical arms differ by more than theirs allows. `gates` are what the arm must not cost, `closed` those that
    say no.
    """

    arm: Arm
    speed_up: SpeedUp | None
    interval: Interval | None
    verdict: Verdict
    gates: tuple[Gate, ...]
    tokens: TokenUse
    summary: ArmSummary
    resources: Resources

    @property
    def closed(self) -> tuple[Gate, ...]:
        """The gates that keep the arm out."""
        return closed(self.gates, scored=self.arm.output is ExpectedOutput.JUDGED)


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment, analysed. `arms` has the baseline first, and not the arm that is the baseline once more.

    `same_again` is the baseline against itself: its interval is the noise floor. `missing` executions of `planned` have
    no trace. `gaps` are findings that forbid a claim.
    """

    plan: ExperimentPlan
    ended: ExperimentEnd
    arms: tuple[ArmResult, ...]
    same_again: SpeedUp | None
    planned: int
    missing: int
    gaps: tuple[Gap, ...]
    integrity: tuple[Integrity, ...]
    cells: tuple[CellFacts, ...]
    set_aside: tuple[CellFacts, ...]

    @property
    def baseline(self) -> ArmResult:
        """The arm that the others are held against."""
        return self.arms[0]

    @property
    def others(self) -> tuple[ArmResult, ...]:
        """All arms but the baseline."""
        return self.arms[1:]

    def of(self, name: str) -> ArmResult:
        """The arm called `name`. Raises KeyError."""
        return {result.arm.name: result for result in self.arms}[name]

    @property
    def best(self) -> ArmResult | None:
        """The fastest arm that no gate keeps out; None if there is none."""
        open_arms = [result for result in self.others if result.speed_up is not None and not result.closed]
        return max(
            open_arms, key=lambda result: result.speed_up.estimate if result.speed_up else 0, default=None
        )


def analyse(measured: Measured, limits: Limits | None = None) -> Experiment:
    """Analyse what an experiment left behind, finished or not; the plan's limits where none are given."""
    plan = measured.plan
    limits = limits or Limits(plan.target_ns or DEFAULT_TARGET_NS, plan.max_memory_bytes)
    ended = ending_of(measured)
    seen = tuple(item for item in measured.observations if item.block < max(ended.blocks, 1))
    expected = expected_executions(
        [arm.name for arm in plan.arms],
        blocks=plan.blocks if ended.why is StopReason.UNFINISHED else ended.blocks,
        queries=plan.queries,
        repeats=plan.repeats,
    )
    missing = len(
        expected - {(item.arm, item.block, item.query_id, item.repeat) for item in measured.observations}
    )
    gaps = forbidding(measured.integrity)
    compared = _compare(plan, seen, ended.look.level)
    judge = missing == 0 and not gaps
    arms = tuple(_arm(measured, seen, compared, arm, limits, judge=judge) for arm in _in_order(plan))
    return Experiment(
        plan, ended, arms, compared.same_again, len(expected), missing, gaps, measured.integrity,
        measured.cells, measured.set_aside,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Comparison:
    speed_ups: dict[str, SpeedUp | None]
    same_again: SpeedUp | None

    def interval(self, name: str) -> Interval | None:
        """Of one arm, wide enough for all at once, moved by what the noise floor asks for."""
        speed_up = self.speed_ups.get(name)
        if speed_up is None or speed_up.shared is None:
            return None
        moved = moved_by(self.same_again)
        return replace(speed_up.shared, low=speed_up.shared.low / moved, high=speed_up.shared.high * moved)


def _compare(plan: ExperimentPlan, seen: Sequence[Observation], level: float) -> _Comparison:
    counted = comparable(seen, cached_arms(plan))
    names = [arm.name for arm in _in_order(plan)[1:]]
    wider = widening(counted, names, plan.baseline, wall_ns, level=level) if names else 1.0
    ups = {name: speed_up(counted, name, plan.baseline, wall_ns, wider=wider, level=level) for name in names}
    again = plan.same_again and speed_up(counted, plan.same_again, plan.baseline, wall_ns, level=level)
    return _Comparison(ups, again or None)


def cached_arms(plan: ExperimentPlan) -> frozenset[str]:
    """Arms of which only the first execution in a server start counts, because the server may remember the prompt."""
    return frozenset(arm.name for arm in plan.arms if arm.server.prompt_cache is PromptCache.SERVER)


def _in_order(plan: ExperimentPlan) -> tuple[Arm, ...]:
    """The baseline, then the others as planned, without the baseline once more."""
    others = (arm for arm in plan.arms if arm.name not in (plan.baseline, plan.same_again))
    return (plan.arm(plan.baseline), *others)


def _arm(
    measured: Measured,
    seen: Sequence[Observation],
    compared: _Comparison,
    arm: Arm,
    limits: Limits,
    *,
    judge: bool,
) -> ArmResult:
    plan, interval = measured.plan, compared.interval(arm.name)
    counted = comparable(seen, cached_arms(plan))
    speed_up = compared.speed_ups.get(arm.name)
    return ArmResult(
        arm=arm,
        speed_up=speed_up,
        interval=interval,
        verdict=_verdict(interval, speed_up, plan.threshold) if judge else Verdict.UNDECIDED,
        gates=tuple(_gates(measured, seen, arm, limits)),
        tokens=token_use(seen, arm.name),
        summary=summarise_arm(arm.name, seen, counted, limits),
        resources=resources(measured, arm.name),
    )


def _verdict(interval: Interval | None, speed_up: SpeedUp | None, threshold: float) -> Verdict:
    """`yes` has to hold for all arms at once; `no` is claimed of each alone, as all of those have to be right."""
    if interval is None or speed_up is None or speed_up.interval is None:
        return Verdict.UNDECIDED
    if interval.low >= threshold:
        return Verdict.YES
    alone = (
        speed_up.interval.high * interval.high / speed_up.shared.high if speed_up.shared else interval.high
    )
    return Verdict.NO if alone < threshold else Verdict.UNDECIDED


def _gates(measured: Measured, seen: Sequence[Observation], arm: Arm, limits: Limits) -> Iterator[Gate]:
    plan = measured.plan
    if arm.name == plan.baseline:
        return
    before = [answered(item) for item in seen if item.arm == plan.baseline]
    now = [answered(item) for item in seen if item.arm == arm.name]
    took = resources(measured, arm.name)
    yield accuracy_gate(before, now)
    if arm.output is ExpectedOutput.SAME:
        yield same_answers_gate(before, now)
    if (memory := memory_gate(took, limits.max_memory_bytes)) is not None:
        yield memory
    yield swap_gate(resources(measured, plan.baseline), took)


def answered(seen: Observation) -> ScoredAnswer:
    """An execution as gates see it: a cut answer is a wrong one; one that was interrupted is neither."""
    right = None if seen.record.interrupted else seen.record.ok
    if right is not None or seen.record.error is not None:
        right = bool(right) and seen.record.error is None and not seen.truncated
    digests = [turn.digest for turn in seen.outputs]
    known = tuple(digest for digest in digests if digest is not None)
    return ScoredAnswer(seen.query_id, right, known if digests and len(known) == len(digests) else None)


def resources(measured: Measured, arm: str) -> Resources:
    """What the server starts of an arm took; with other arms in the same start, theirs too."""
    cells = [cell for cell in measured.cells if arm in cell.arms]
    peaks = [cell.peak_footprint_bytes for cell in cells if cell.peak_footprint_bytes is not None]
    peaks += [
        item.footprint_bytes for item in measured.observations if item.arm == arm and item.footprint_bytes
    ]
    swapped = [cell.swapped_out_bytes for cell in cells]
    known = [count for count in swapped if count is not None]
    whole = bool(known) and len(known) == len(swapped)
    return Resources(max(peaks, default=None), sum(known) if whole else None)


def ending_of(measured: Measured) -> ExperimentEnd:
    """How far it went and what ended it."""
    plan, looks = measured.plan, looks_of(measured.plan)
    done = blocks_done([arm.name for arm in plan.arms], measured.observations, measured.cells)
    overall = overall_level(looks)
    for look in looks:
        if look.blocks > done:
            return ExperimentEnd(done, StopReason.UNFINISHED, look, overall)
        if look.may_stop and (why := stops_at(measured, look)) is not None:
            return ExperimentEnd(look.blocks, why, look, overall)
    return ExperimentEnd(looks[-1].blocks, StopReason.ALL_BLOCKS, looks[-1], overall)


def stops_at(measured: Measured, look: Look) -> StopReason | None:
    """Why the experiment ends at this look; None if it goes on. Only its blocks are looked at."""
    plan, rule = measured.plan, measured.plan.stopping
    seen = [item for item in measured.observations if item.block < look.blocks]
    compared = _compare(plan, seen, look.level)
    intervals = {name: compared.interval(name) for name in compared.speed_ups}
    verdicts = [
        _verdict(intervals[name], speed_up, plan.threshold) for name, speed_up in compared.speed_ups.items()
    ]
    if rule.decided and verdicts and Verdict.UNDECIDED not in verdicts:
        return StopReason.DECIDED
    if rule.width is None or not intervals:
        return None
    narrow = all(_width(interval) <= rule.width for interval in intervals.values())
    return StopReason.NARROW if narrow else None


def _width(interval: Interval | None) -> float:
    """From end to end, relative to the middle."""
    if interval is None or interval.high + interval.low <= 0:
        return float("inf")
    return 2 * (interval.high - interval.low) / (interval.high + interval.low)
