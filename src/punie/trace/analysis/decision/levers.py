"""What experiments and improvements say of levers, for a decision: which arm is faster, and at what price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from punie.trace.analysis.experiment.arms import ExpectedOutput
from punie.trace.analysis.experiment.gates import Gate
from punie.trace.analysis.experiment.results import ArmResult, Experiment
from punie.trace.analysis.statistics.spread import Interval
from punie.trace.analysis.verdicts.assessment import Assessment
from punie.trace.analysis.verdicts.target import TargetFigures
from punie.trace.model import Verdict


@dataclass(frozen=True, slots=True)
class TriedArm:
    """An arm that was measured against its baseline: `verdict` is whether it is faster, `closed` what keeps it out.

    `same` is whether it promises the baseline's answers. `source` is the folder in which it was measured, which an
    improvement left if it is `from_improvement`.
    """

    name: str
    source: str
    speed_up: float
    interval: Interval | None
    verdict: Verdict
    same: bool
    closed: tuple[Gate, ...]
    target: Assessment[TargetFigures]
    from_improvement: bool = False

    @property
    def usable(self) -> bool:
        """Faster, and no gate keeps it out."""
        return self.verdict is Verdict.YES and not self.closed


@dataclass(frozen=True, slots=True)
class Trials:
    """Everything that was tried: `arms`, and the folders of improvements that ended without a speed-up."""

    arms: tuple[TriedArm, ...] = ()
    in_vain: tuple[str, ...] = ()

    @property
    def best(self) -> TriedArm | None:
        """The fastest that can be used."""
        return max((arm for arm in self.arms if arm.usable), key=lambda arm: arm.speed_up, default=None)

    @property
    def verdict(self) -> Verdict:
        """`yes` if an arm can be used, `undecided` if one may yet, or if nothing was tried."""
        if self.best is not None:
            return Verdict.YES
        is_open = any(arm.verdict is Verdict.UNDECIDED and not arm.closed for arm in self.arms)
        nothing = not self.arms and not self.in_vain
        return Verdict.UNDECIDED if is_open or nothing else Verdict.NO


NOTHING_TRIED: Final = Trials()


def tried_in(experiment: Experiment, source: str) -> Iterator[TriedArm]:
    """The arms of an experiment that could be compared."""
    for result in experiment.others:
        if result.speed_up is not None:
            yield tried(result, source, result.speed_up.estimate, result.interval, result.verdict)


def tried(
    result: ArmResult, source: str, speed_up: float, interval: Interval | None, verdict: Verdict
) -> TriedArm:
    """One arm, as fast as its experiment or its confirmation says."""
    return TriedArm(
        name=" + ".join(result.arm.levers) or result.arm.name,
        source=source,
        speed_up=speed_up,
        interval=interval,
        verdict=verdict,
        same=result.arm.output is ExpectedOutput.SAME,
        closed=result.closed,
        target=result.summary.target,
    )


def merge_trials(tried: Sequence[Trials]) -> Trials:
    """What several folders say, as one."""
    return Trials(
        tuple(arm for one in tried for arm in one.arms), tuple(name for one in tried for name in one.in_vain)
    )
