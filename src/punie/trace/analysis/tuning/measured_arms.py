"""What a training reads off its experiments: answers, tokens and times of an arm."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence

from punie.trace.analysis.experiment.measured import Measured
from punie.trace.analysis.experiment.observation import Observation
from punie.trace.analysis.experiment.pairing import comparable, wall_ns
from punie.trace.analysis.experiment.results import ArmResult, Experiment, analyse, answered, cached_arms
from punie.trace.analysis.experiment.speedup import moved_by, speed_up
from punie.trace.analysis.statistics.ratio import RatioUnit, half_width, ratio
from punie.trace.analysis.statistics.spread import Interval
from punie.trace.analysis.tuning.judgement import JudgedArm, ModelVariant, Times, compare_accuracy
from punie.trace.analysis.tuning.output_kinds import output_kinds
from punie.trace.model import Span


def right_answers(measured: Measured, arm: str) -> dict[str, list[bool]]:
    """By query whether each execution was right; interrupted executions are left out."""
    answers: dict[str, list[bool]] = {}
    for seen in _of_arm(measured, arm):
        right = answered(seen).right
        if right is not None:
            answers.setdefault(seen.query_id, []).append(right)
    return answers


def output_tokens(measured: Measured, arm: str) -> float | None:
    """Mean output tokens of a query; None where the server counted none."""
    known = [seen.output_tokens for seen in _of_arm(measured, arm) if seen.output_tokens is not None]
    return statistics.fmean(known) if known else None


def relative_decode(measured: Measured, arm: str, other: str) -> float | None:
    """The time for an output token of `arm`, relative to that of `other`; None where either isn't known."""
    one, against = (_token_ns(measured, name) for name in (arm, other))
    return one / against if one is not None and against else None


def _token_ns(measured: Measured, arm: str) -> float | None:
    known = [(seen.decode_ns, seen.output_tokens) for seen in _of_arm(measured, arm)]
    whole = [(ns, tokens) for ns, tokens in known if ns is not None and tokens]
    return sum(ns for ns, _ in whole) / sum(tokens for _, tokens in whole) if whole else None


def judged_arms(
    measured: Measured, kinds: Mapping[str, ModelVariant], spans: Sequence[Span]
) -> Iterator[JudgedArm]:
    """Every arm of a judgement; those that `kinds` doesn't name are fused forms. `spans` are of all its executions."""
    base = right_answers(measured, measured.plan.baseline)
    brief = next((name for name, kind in kinds.items() if kind is ModelVariant.BRIEF), None)
    experiment = analyse(measured)
    for result in experiment.arms:
        name = result.arm.name
        seen = list(_of_arm(measured, name))
        walls = [one.wall_ns for one in seen if one.counts]
        yield JudgedArm(
            name=name,
            kind=kinds.get(name, ModelVariant.FUSED),
            tokens=output_tokens(measured, name),
            kinds=output_kinds(spans, (one.record.trace_id for one in seen)),
            wall_ns=statistics.fmean(walls) if walls else None,
            tokens_share=tokens_share(measured, name, level=experiment.ended.look.level),
            times=_times(result),
            against_told=_against(measured, name, brief, experiment) if brief else None,
            kept=compare_accuracy(base, right_answers(measured, name)),
        )


def tokens_share(measured: Measured, arm: str, *, level: float) -> Interval | None:
    """Output tokens relative to the baseline's, over the queries of both; None below two queries with counts."""
    of_arm, of_base = (_tokens_by_query(measured, name) for name in (arm, measured.plan.baseline))
    both = [query_id for query_id in of_base if query_id in of_arm and of_base[query_id]]
    units = [RatioUnit(of_arm[query_id], of_base[query_id]) for query_id in both]
    estimate, half = ratio(units), half_width(units, level=level)
    if estimate is None or half is None:
        return None
    ends = max(0.0, estimate - half.value), estimate + half.value
    return Interval(*ends, level, half.method, len(units))


def _tokens_by_query(measured: Measured, arm: str) -> dict[str, float]:
    counts: dict[str, list[int]] = {}
    for seen in _of_arm(measured, arm):
        if seen.output_tokens is not None:
            counts.setdefault(seen.query_id, []).append(seen.output_tokens)
    return {query_id: statistics.fmean(some) for query_id, some in counts.items()}


def _against(measured: Measured, arm: str, other: str, experiment: Experiment) -> Times | None:
    """The speed-up of `arm` against `other`, its interval moved outwards as those against the baseline are."""
    if arm == other:
        return None
    counted = comparable(measured.observations, cached_arms(measured.plan))
    against = speed_up(counted, arm, other, wall_ns, level=experiment.ended.look.level)
    if against is None or against.interval is None:
        return None
    moved = moved_by(experiment.same_again)
    return Times(against.estimate, against.interval.low / moved, against.interval.high * moved)


def _times(result: ArmResult) -> Times | None:
    if result.speed_up is None or result.interval is None:
        return None
    return Times(result.speed_up.estimate, result.interval.low, result.interval.high)


def _of_arm(measured: Measured, arm: str) -> Iterator[Observation]:
    return (seen for seen in measured.observations if seen.arm == arm)
