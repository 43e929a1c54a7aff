"""Was the training worth it? Fewer tokens, less wall time, no answers lost, and better than an instruction.

All of it over queries that nobody trained on. The margin for lost answers was set before; where so few queries can't
show that it is kept, the verdict is `undecided`, however good the figures look.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from punie.trace.analysis.statistics.distributions import clopper_pearson_lower
from punie.trace.analysis.statistics.spread import Interval
from punie.trace.analysis.tuning.margin import LEVEL, most_worse
from punie.trace.analysis.tuning.output_kinds import OutputKinds
from punie.trace.analysis.tuning.worth import THRESHOLD
from punie.trace.model import Verdict


class ModelVariant(StrEnum):
    """What an arm of the judgement is: as it was, with the instruction to be brief, with the adapter, or fused."""

    BASE = "base"
    BRIEF = "brief"
    ADAPTER = "adapter"
    FUSED = "fused"


class Criterion(StrEnum):
    """What an arm has to answer with yes."""

    SHORTER = "fewer-tokens"
    FASTER = "less-wall-time"
    KEPT = "answers-kept"
    BETTER_THAN_INSTRUCTION = "better-than-told"


@dataclass(frozen=True, slots=True)
class Times:
    """A speed-up end to end and its 95 % interval, against the base or the base with the instruction to be brief."""

    estimate: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """`yes` where it is surely faster, `no` where it surely saves less than what training has to save."""
        if self.low > 1:
            return Verdict.YES
        return Verdict.NO if self.high < 1 / (1 - THRESHOLD) else Verdict.UNDECIDED

    @property
    def saved(self) -> float:
        """The share of the wall time that it saves."""
        return 1 - 1 / self.estimate


@dataclass(frozen=True, slots=True)
class AccuracyComparison:
    """Answers beside the base's, query by query.

    right, asked: queries that are right in every execution, and all. compared: those that the base has so.
    worse, better: ids of queries that lost or gained that. most_worse: the exact upper bound of the share that is lost.
    """

    right: int
    asked: int
    compared: int
    worse: tuple[str, ...]
    better: tuple[str, ...]

    @property
    def most_worse(self) -> float:
        """At 95 %, of queries such as these."""
        return most_worse(len(self.worse), self.compared)

    @property
    def at_least_right(self) -> float:
        """The exact lower bound of the share of such queries that are right."""
        return clopper_pearson_lower(self.right, self.asked, level=LEVEL) if self.asked else 0.0

    def verdict(self, margin: float) -> Verdict:
        """`yes` where the bound keeps the margin, `no` where surely more than the margin got worse."""
        if not self.compared:
            return Verdict.UNDECIDED
        if self.most_worse <= margin:
            return Verdict.YES
        least = clopper_pearson_lower(len(self.worse), self.compared, level=LEVEL)
        return Verdict.NO if least > margin else Verdict.UNDECIDED


@dataclass(frozen=True, slots=True)
class JudgedArm:
    """One arm of the judgement.

    tokens: mean output tokens a query; tokens_share: relative to the base's, over queries. times: against the base;
    against_told: against the base with the instruction to be brief. None where nothing could be compared.
    """

    name: str
    kind: ModelVariant
    tokens: float | None
    kinds: OutputKinds
    wall_ns: float | None
    tokens_share: Interval | None
    times: Times | None
    against_told: Times | None
    kept: AccuracyComparison


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came out. `chosen` is the trained arm that is judged, None where there is none to judge.

    answers: each question with its verdict; `verdict` is yes where all are.
    """

    verdict: Verdict
    chosen: JudgedArm | None
    answers: Mapping[Criterion, Verdict]
    arms: tuple[JudgedArm, ...]
    margin: float

    def of(self, kind: ModelVariant) -> JudgedArm | None:
        """The first arm of a kind."""
        return next((arm for arm in self.arms if arm.kind is kind), None)


def compare_accuracy(
    base: Mapping[str, Sequence[bool]], arm: Mapping[str, Sequence[bool]]
) -> AccuracyComparison:
    """`base` and `arm`: by query whether each execution was right. Only queries that both were asked are compared."""
    both = [query_id for query_id in base if query_id in arm]
    right_before = {query_id for query_id in both if all(base[query_id])}
    right_now = {query_id for query_id in both if all(arm[query_id])}
    return AccuracyComparison(
        right=len(right_now),
        asked=len(both),
        compared=len(right_before),
        worse=tuple(sorted(right_before - right_now)),
        better=tuple(sorted(right_now - right_before)),
    )


def judge(arms: Sequence[JudgedArm], margin: float) -> Judgement:
    """The verdict on the faster of the trained arms that lost no more than another one."""
    brief = next((arm for arm in arms if arm.kind is ModelVariant.BRIEF), None)
    trained = [arm for arm in arms if arm.kind in (ModelVariant.ADAPTER, ModelVariant.FUSED)]
    chosen = min(trained, key=_rank, default=None)
    if chosen is None:
        return Judgement(Verdict.UNDECIDED, None, {}, tuple(arms), margin)
    answers = dict(_answers(brief, chosen, margin))
    return Judgement(_all(answers.values()), chosen, answers, tuple(arms), margin)


def _rank(arm: JudgedArm) -> tuple[int, float]:
    return len(arm.kept.worse), -(arm.times.estimate if arm.times else 0.0)


def _answers(
    brief: JudgedArm | None, chosen: JudgedArm, margin: float
) -> Iterator[tuple[Criterion, Verdict]]:
    yield Criterion.SHORTER, _shorter(chosen)
    yield Criterion.FASTER, chosen.times.verdict if chosen.times else Verdict.UNDECIDED
    yield Criterion.KEPT, chosen.kept.verdict(margin)
    yield Criterion.BETTER_THAN_INSTRUCTION, _better_than_instruction(brief, chosen, margin)


def _shorter(arm: JudgedArm) -> Verdict:
    share = arm.tokens_share
    if share is None or share.holds(1.0):
        return Verdict.UNDECIDED
    return Verdict.YES if share.high < 1 else Verdict.NO


def _better_than_instruction(brief: JudgedArm | None, chosen: JudgedArm, margin: float) -> Verdict:
    """An instruction that is as fast makes training pointless, unless it alone can't be shown to keep the answers.

    Nor does one that surely loses answers: whether the training keeps them is a criterion of its own.
    """
    if brief is None:
        return Verdict.UNDECIDED
    if brief.kept.verdict(margin) is Verdict.NO:
        return Verdict.YES
    if chosen.kept.verdict(margin) is Verdict.YES and brief.kept.verdict(margin) is not Verdict.YES:
        return Verdict.YES
    return chosen.against_told.verdict if chosen.against_told else Verdict.UNDECIDED


def _all(verdicts: Collection[Verdict]) -> Verdict:
    if Verdict.NO in verdicts:
        return Verdict.NO
    return Verdict.UNDECIDED if Verdict.UNDECIDED in verdicts else Verdict.YES
