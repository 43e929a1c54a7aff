"""What to do after a benchmark: which sentences stand under its verdict, the most important first."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from punie.trace.analysis.experiment.speedup import blocks_needed
from punie.trace.analysis.speculative.benchmark import BenchAnalysis, DraftResult
from punie.trace.analysis.speculative.model import THRESHOLD
from punie.trace.model import Verdict

_LOW_ACCEPTANCE: Final = 0.6


class BenchAdvice(StrEnum):
    """One thing to do."""

    FINISH = "finish"
    LOOK_AT_INTEGRITY = "look-at-integrity"
    CACHE_OFF = "cache-off"
    COMPARE_OUTPUTS = "compare-outputs"
    USE = "use"
    LOOK_ELSEWHERE = "look-elsewhere"
    LEAVE_AS_PREDICTED = "leave-as-predicted"
    MORE_BLOCKS = "more-blocks"
    BLOCKS_HARDLY_DECIDE = "blocks-hardly-decide"
    SAVE_MORE = "save-more"
    CUT_LARGEST_COST = "cut-largest-cost"
    RAISE_ACCEPTANCE = "raise-acceptance"


def next_steps(analysis: BenchAnalysis) -> tuple[BenchAdvice, ...]:
    """What to do now, the most important first."""
    return tuple(_steps(analysis))


def improvable(analysis: BenchAnalysis) -> DraftResult | None:
    """The draft arm that advice on costs is about: the best, else the first."""
    return analysis.best_draft or next(iter(analysis.drafts), None)


def predicted_out_of_reach(analysis: BenchAnalysis) -> bool:
    """Whether the preflight says that no k reaches the threshold, and nothing measured contradicts it."""
    out_of_reach = analysis.preflight is not None and analysis.preflight.worth is Verdict.NO
    return out_of_reach and (analysis.best is None or analysis.best.speed_up.estimate < THRESHOLD)


def _steps(analysis: BenchAnalysis) -> Iterator[BenchAdvice]:
    if analysis.missing:
        yield BenchAdvice.FINISH
    elif analysis.gaps:
        yield BenchAdvice.LOOK_AT_INTEGRITY
    if analysis.cache_is_to_blame:
        yield BenchAdvice.CACHE_OFF
    if analysis.missing or analysis.gaps:
        return
    if analysis.verdict is Verdict.YES:
        yield BenchAdvice.USE if analysis.usable is Verdict.YES else BenchAdvice.COMPARE_OUTPUTS
    elif analysis.ceiling is not None and analysis.ceiling < THRESHOLD:
        yield BenchAdvice.LOOK_ELSEWHERE
    else:
        if analysis.verdict is Verdict.UNDECIDED:
            yield _to_decide(analysis)
        yield from _improve(analysis)


def _to_decide(analysis: BenchAnalysis) -> BenchAdvice:
    if predicted_out_of_reach(analysis):
        return BenchAdvice.LEAVE_AS_PREDICTED
    needed = blocks_needed(analysis.best, THRESHOLD) if analysis.best else None
    return BenchAdvice.BLOCKS_HARDLY_DECIDE if needed is None else BenchAdvice.MORE_BLOCKS


def _improve(analysis: BenchAnalysis) -> Iterator[BenchAdvice]:
    result = improvable(analysis)
    if result is None:
        return
    costly = result.decomposition is not None and result.decomposition.worst is not None
    yield BenchAdvice.CUT_LARGEST_COST if costly else BenchAdvice.SAVE_MORE
    drafting = analysis.summary(result.arm.name).drafting
    if drafting is not None and drafting.drafted and drafting.share < _LOW_ACCEPTANCE:
        yield BenchAdvice.RAISE_ACCEPTANCE
