"""Is an arm's output the reference arm's, token for token?

At temperature 0 a draft may not change what the model says. The reference of a query is what the reference arm said
most often. Only the first difference of an execution counts: what comes after it answers another context. Where the
target's logits of both tokens were as close as two ways of computing them differ, it is a numeric tie and not counted
as wrong; a larger gap means that the model did not see the same text.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from punie.trace.analysis.experiment.observation import Divergence, DivergenceKind, Observation, TurnOutput
from punie.trace.model import Verdict

_TIE_IN_NOISES = 2  # both logits may be off by the noise


@dataclass(frozen=True, slots=True)
class ComparisonScope:
    """What is compared: `arms` with `reference`; `sampled` says that answers are drawn, so that any may differ."""

    reference: str
    arms: tuple[str, ...]
    sampled: bool = False


Outputs = tuple[TurnOutput, ...]
Reference = Mapping[str, Outputs]


class LosslessnessGap(StrEnum):
    """Why the gate can't be passed or failed."""

    NONE = ""
    SAMPLED = "sampled"
    NO_REFERENCE = "no-reference"
    UNSTEADY = "unsteady-reference"
    UNKNOWN_KIND = "logits-not-looked-at"
    NOTHING_COMPARED = "nothing-compared"


@dataclass(frozen=True, slots=True)
class ArmLosslessness:
    """One arm: `equal` of `compared` executions are the reference's; `divergences` are the others, the same place once.

    `yes` is lossless (ties aside), `no` is a corruption.
    """

    arm: str
    verdict: Verdict
    compared: int
    equal: int
    divergences: tuple[Divergence, ...]
    gap: LosslessnessGap = LosslessnessGap.NONE

    @property
    def is_wrong(self) -> bool:
        """Whether an output differs by more than a numeric tie."""
        return any(item.kind is not DivergenceKind.TIE for item in self.divergences)

    def count(self, kind: DivergenceKind) -> int:
        """Askings that part by `kind`."""
        return sum(item.places for item in self.divergences if item.kind is kind)


@dataclass(frozen=True, slots=True)
class Losslessness:
    """All arms. `verdict` is `no` if one is corrupt, `yes` if all are lossless, else `undecided`.

    `unsteady` are the queries to which the reference gave several answers.
    """

    verdict: Verdict
    arms: tuple[ArmLosslessness, ...]
    unsteady: tuple[str, ...]

    def of(self, arm: str) -> ArmLosslessness | None:
        """The gate of one arm; None for one that was not compared."""
        return next((item for item in self.arms if item.arm == arm), None)


def find_divergences(
    observations: Sequence[Observation], compared: ComparisonScope
) -> tuple[Divergence, ...]:
    """The first difference of every execution that has one, kinds still unknown, each execution by itself.

    Their logit gaps need the model; `gate` takes the list back with them filled in.
    """
    reference = _reference(observations, compared)
    differences = (
        _difference(seen, reference) for arm in compared.arms for seen in observations if seen.arm == arm
    )
    return tuple(item for item in differences if item is not None)


def gate(
    observations: Sequence[Observation],
    compared: ComparisonScope,
    *,
    gaps: Iterable[Divergence] = (),
    logit_noise: float | None = None,
) -> Losslessness:
    """The gate over all arms; `gaps` are divergences as `find_divergences` gave them, with their logit gaps."""
    known = {_place(item): item.logit_gap for item in gaps if item.logit_gap is not None}
    divergences = [
        classify(replace(item, logit_gap=known.get(_place(item))), logit_noise)
        for item in find_divergences(observations, compared)
    ]
    reference = _reference(observations, compared)
    outputs = _reference_outputs(observations, compared)
    unsteady = tuple(sorted(query_id for query_id, ways in outputs.items() if len(ways) > 1))
    general = _general_gap(compared, reference, unsteady)
    arms = tuple(
        _arm_gate(arm, observations, reference, [item for item in divergences if item.arm == arm], general)
        for arm in compared.arms
    )
    return Losslessness(_combined_verdict(arms), arms, unsteady)


def classify(divergence: Divergence, logit_noise: float | None) -> Divergence:
    """The divergence with its kind: unknown without a gap or without knowing how far logits differ by themselves."""
    gap = divergence.logit_gap
    if gap is None or logit_noise is None:
        return replace(divergence, kind=DivergenceKind.UNKNOWN)
    is_tie = abs(gap) <= _TIE_IN_NOISES * logit_noise
    return replace(divergence, kind=DivergenceKind.TIE if is_tie else DivergenceKind.CORRUPTION)


def _reference_outputs(
    observations: Iterable[Observation], compared: ComparisonScope
) -> Mapping[str, Counter[Outputs]]:
    """How often the reference arm gave each output, by query."""
    outputs: dict[str, Counter[Outputs]] = defaultdict(Counter)
    for seen in observations:
        if seen.arm == compared.reference and _known(seen.outputs):
            outputs[seen.query_id][seen.outputs] += 1
    return outputs


def _reference(observations: Iterable[Observation], compared: ComparisonScope) -> Reference:
    outputs = _reference_outputs(observations, compared)
    return {query_id: counts.most_common(1)[0][0] for query_id, counts in outputs.items()}


def _known(outputs: Sequence[TurnOutput]) -> bool:
    return bool(outputs) and all(turn.digest is not None or turn.tokens is not None for turn in outputs)


def _difference(seen: Observation, reference: Reference) -> Divergence | None:
    expected = reference.get(seen.query_id)
    if expected is None or not _known(seen.outputs):
        return None
    for turn in range(max(len(expected), len(seen.outputs))):
        given = seen.outputs[turn] if turn < len(seen.outputs) else None
        wanted = expected[turn] if turn < len(expected) else None
        if given is None or wanted is None or not _same(given, wanted):
            place = _first_token(given, wanted)
            return Divergence(seen.query_id, turn, seen.arm, seen.block, seen.repeat, *place)
    return None


def _same(one: TurnOutput, other: TurnOutput) -> bool:
    if one.tokens is not None and other.tokens is not None:
        return one.tokens == other.tokens
    return one.digest == other.digest


def _first_token(
    given: TurnOutput | None, wanted: TurnOutput | None
) -> tuple[int | None, int | None, int | None]:
    """Index, expected and actual token of the first difference; all None where ids weren't kept."""
    actual = given.tokens if given else None
    expected = wanted.tokens if wanted else None
    if actual is None or expected is None:
        return None, None, None
    shorter = min(len(actual), len(expected))
    index = next((i for i in range(shorter) if actual[i] != expected[i]), shorter)
    return index, _at(expected, index), _at(actual, index)


def _at(tokens: Sequence[int], index: int) -> int | None:
    return tokens[index] if index < len(tokens) else None


def _place(item: Divergence) -> tuple[str, str, int, int, int, int | None]:
    return item.arm, item.query_id, item.block, item.repeat, item.turn, item.token


def _general_gap(compared: ComparisonScope, reference: Reference, unsteady: Sequence[str]) -> LosslessnessGap:
    if compared.sampled:
        return LosslessnessGap.SAMPLED
    if not reference:
        return LosslessnessGap.NO_REFERENCE
    return LosslessnessGap.UNSTEADY if unsteady else LosslessnessGap.NONE


def _arm_gate(
    arm: str,
    observations: Sequence[Observation],
    reference: Reference,
    divergences: Sequence[Divergence],
    general: LosslessnessGap,
) -> ArmLosslessness:
    compared = sum(
        seen.arm == arm and seen.query_id in reference and _known(seen.outputs) for seen in observations
    )
    gap = general
    if gap is LosslessnessGap.NONE and not compared:
        gap = LosslessnessGap.NOTHING_COMPARED
    if gap is LosslessnessGap.NONE and any(item.kind is DivergenceKind.UNKNOWN for item in divergences):
        gap = LosslessnessGap.UNKNOWN_KIND
    corrupt = any(item.kind is DivergenceKind.CORRUPTION for item in divergences)
    open_or_passed = Verdict.UNDECIDED if gap else Verdict.YES
    verdict = Verdict.NO if corrupt and general is LosslessnessGap.NONE else open_or_passed
    return ArmLosslessness(arm, verdict, compared, compared - len(divergences), _counted(divergences), gap)


def _counted(divergences: Sequence[Divergence]) -> tuple[Divergence, ...]:
    """Askings that part in the same place as one, with their number; the first of them stands for all."""
    groups: dict[tuple[str, int, int | None, int | None, DivergenceKind], list[Divergence]] = {}
    for item in divergences:
        key = (item.query_id, item.turn, item.token, item.actual, item.kind)
        groups.setdefault(key, []).append(item)
    return tuple(replace(group[0], places=len(group)) for _, group in sorted(groups.items(), key=str))


def _combined_verdict(arms: Sequence[ArmLosslessness]) -> Verdict:
    verdicts = {item.verdict for item in arms}
    if Verdict.NO in verdicts:
        return Verdict.NO
    return Verdict.YES if verdicts == {Verdict.YES} else Verdict.UNDECIDED
