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


def next_steps(found: BenchAnalysis) -> tuple[BenchAdvice, ...]:
    """What to do now, the most important first."""
    return tuple(_steps(found))


def improvable(found: BenchAnalysis) -> DraftResult | None:
    """The draft arm that advice on costs is about: the best, else the first."""
    return found.best_draft or next(iter(found.drafts), None)


def predicted_out_of_reach(found: BenchAnalysis) -> bool:
    """Whether the preflight says that no k reaches the threshold, and nothing measured contradicts it."""
    out_of_reach = found.preflight is not None and found.preflight.worth is Verdict.NO
    return out_of_reach and (found.best is None or found.best.speed_up.estimate < THRESHOLD)


def _steps(found: BenchAnalysis) -> Iterator[BenchAdvice]:
    if found.missing:
        yield BenchAdvice.FINISH
    elif found.gaps:
        yield BenchAdvice.LOOK_AT_INTEGRITY
    if found.cache_is_to_blame:
        yield BenchAdvice.CACHE_OFF
    if found.missing or found.gaps:
        return
    if found.verdict is Verdict.YES:
        yield BenchAdvice.USE if found.usable is Verdict.YES else BenchAdvice.COMPARE_OUTPUTS
    elif found.ceiling is not None and found.ceiling < THRESHOLD:
        yield BenchAdvice.LOOK_ELSEWHERE
    else:
        if found.verdict is Verdict.UNDECIDED:
            yield _to_decide(found)
        yield from _improve(found)


def _to_decide(found: BenchAnalysis) -> BenchAdvice:
    if predicted_out_of_reach(found):
        return BenchAdvice.LEAVE_AS_PREDICTED
    needed = blocks_needed(found.best, THRESHOLD) if found.best else None
    return BenchAdvice.BLOCKS_HARDLY_DECIDE if needed is None else BenchAdvice.MORE_BLOCKS


def _improve(found: BenchAnalysis) -> Iterator[BenchAdvice]:
    result = improvable(found)
    if result is None:
        return
    costly = result.decomposition is not None and result.decomposition.worst is not None
    yield BenchAdvice.CUT_LARGEST_COST if costly else BenchAdvice.SAVE_MORE
    drafting = found.summary(result.arm.name).drafting
    if drafting is not None and drafting.drafted and drafting.share < _LOW_ACCEPTANCE:
        yield BenchAdvice.RAISE_ACCEPTANCE
