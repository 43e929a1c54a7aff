"""A benchmark of draft models, and its preflight, in sentences: what they rest on and what to do now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from punie.trace.analysis.experiment.arms import PromptCache
from punie.trace.analysis.experiment.losslessness import LosslessnessGap
from punie.trace.analysis.experiment.speedup import blocks_needed
from punie.trace.analysis.speculative.advice import BenchAdvice, improvable, next_steps
from punie.trace.analysis.speculative.benchmark import BenchAnalysis, BenchReason, Disqualification
from punie.trace.analysis.speculative.decomposition import DraftEffect
from punie.trace.analysis.speculative.model import THRESHOLD, Preflight
from punie.trace.analysis.speculative.prediction import headline
from punie.trace.model import Verdict
from punie.trace.report.wording.verdicts import gaps_text
from punie.trace.units import (
    bytes_text,
    confidence_text,
    count_text,
    duration_text,
    factor_text,
    percent_text,
    share_text,
)

BARS: Final = {
    Disqualification.CORRUPT: "its outputs are corrupt",
    Disqualification.WRONG: "it gives wrong answers where the baseline gives none",
}
LOSSLESSNESS_GAPS: Final = {
    LosslessnessGap.NONE: "",
    LosslessnessGap.SAMPLED: "the temperature is above 0, so outputs may differ by chance",
    LosslessnessGap.NO_REFERENCE: "the sequential baseline has no outputs to compare with",
    LosslessnessGap.UNSTEADY: "the sequential baseline itself gave different outputs",
    LosslessnessGap.UNKNOWN_KIND: "differences whose logits were not checked",
    LosslessnessGap.NOTHING_COMPARED: "no output of this arm could be compared",
}
_TRY: Final = {
    DraftEffect.BATCHING: "The path that drafts use writes slower than the batched one: look for a newer mlx_lm first.",
    DraftEffect.CACHE: "The prompt is read again on every turn because drafts run without the prompt cache: "
    "shorten the prompt, or try again when mlx_lm keeps the cache right with a draft.",
    DraftEffect.PREFILL_PATH: "The path that drafts use reads the prompt slower: look for a newer mlx_lm first.",
    DraftEffect.DRAFT_PREFILL: "The draft reads the whole prompt as well: try a smaller draft.",
    DraftEffect.DRAFT_COST: "Try a smaller draft, or one with fewer bits.",
    DraftEffect.VERIFICATION: "Checking several tokens at once costs this target much: try a smaller k.",
    DraftEffect.DRAFTING: "Run the preflight too: without it, drafting can't be split into its costs.",
    DraftEffect.UNEXPLAINED: "Decode takes longer than the measured costs explain: look at the server between steps.",
    DraftEffect.OUTSIDE: "Time outside the model differs between the arms: "
    "look at `punie-trace report` of one cell each.",
}
_FIXED: Final = {
    BenchAdvice.FINISH: "Finish it: the same command with --resume goes on where it stopped.",
    BenchAdvice.LOOK_AT_INTEGRITY: "Look at the integrity findings first; then run the affected cells again.",
    BenchAdvice.LEAVE_AS_PREDICTED: "Leave these drafts away: the preflight predicts that no k reaches "
    f"{factor_text(THRESHOLD)}, and nothing that was measured contradicts it.",
    BenchAdvice.BLOCKS_HARDLY_DECIDE: "More blocks would hardly decide: the speed-up itself is about "
    f"{factor_text(THRESHOLD)}.",
    BenchAdvice.SAVE_MORE: "Nothing costs more with the draft; what it saves is too little: try a larger k or another "
    "draft.",
}
_AFTER_PREFLIGHT: Final = {
    Verdict.YES: "Run it: the same command with --resume FOLDER in place of its other flags.",
    Verdict.NO: "Try a smaller draft, or one of the model's own family; see with `decide` where the time goes.",
    Verdict.UNDECIDED: "Use a suite with longer answers.",
}


def reason_text(analysis: BenchAnalysis) -> str:
    """What keeps the verdict from resting on the measured interval, a clause; empty if it rests on that."""
    match analysis.reason:
        case BenchReason.MEASURED:
            return ""
        case BenchReason.INCOMPLETE:
            planned = count_text(analysis.planned, "planned execution")
            missing = f"{analysis.missing} of {planned} missing" if analysis.missing else ""
            return "; ".join(part for part in (missing, gaps_text(analysis.gaps)) if part)
        case BenchReason.ALL_BARRED:
            return "; ".join(
                f"{draft.arm.name}: {BARS[draft.barred]}" for draft in analysis.drafts if draft.barred
            )
        case BenchReason.NOTHING_COMPARED:
            return "no draft arm has an answer that could be compared"


def verdict_basis(analysis: BenchAnalysis) -> str:
    """What the verdict on the threshold rests on."""
    best = analysis.best
    if best is None or best.interval is None:
        return f"{reason_text(analysis) or 'One block has no interval'}.".capitalize()
    text = (
        f"Σ {analysis.baseline.name} / Σ {best.speed_up.arm}, wall time end to end; "
        f"{confidence_text(best.interval.level)} interval of the best of {count_text(len(best.among), 'arm')} over "
        f"{count_text(best.interval.units, 'block')} ({best.interval.method}, the lower end corrected for "
        "having chosen)"
    )
    if best.moved_by > 1:
        text += f", widened by {factor_text(best.moved_by)} because two identical arms differ by that"
    if best.speed_up.censored:
        text += f"; {count_text(best.speed_up.censored, 'pair')} left out, failed or cut off"
    if reason_text(analysis):
        text += f"; {reason_text(analysis)}"
    singles = [value for _, value in best.speed_up.queries]
    return f"{text}. Single queries: {factor_text(min(singles))} to {factor_text(max(singles))}."


def bench_advice(analysis: BenchAnalysis) -> tuple[str, ...]:
    """What to do now, the most important first."""
    return tuple(
        _FIXED[advice] if advice in _FIXED else _WITH_FIGURES[advice](analysis)
        for advice in next_steps(analysis)
    )


def preflight_reason(preflight: Preflight) -> str:
    """Why the long benchmark is, or isn't, worth it."""
    if preflight.memory is not None and preflight.memory.fits is Verdict.NO:
        return f"Both models would take {bytes_text(preflight.memory.total_bytes)}, more than may be used."
    best = preflight.best
    if best is None:
        return "Nothing could be predicted: no cost was measured for any k."
    expected, what = headline(best), "end to end" if best.end_to_end else "in decode"
    value, low, high = (
        factor_text(figure, threshold=THRESHOLD) for figure in (expected.value, expected.low, expected.high)
    )
    text = f"best is k = {best.k} with {value} {what} ({low} to {high})"
    if preflight.worth is Verdict.NO:
        return f"No k can reach {factor_text(THRESHOLD)}: {text}."
    if expected.low >= THRESHOLD:
        return f"Predicted to reach {factor_text(THRESHOLD)}: {text}."
    return f"Only the benchmark can decide whether {factor_text(THRESHOLD)} is reached: {text}."


def preflight_advice(preflight: Preflight) -> str:
    """What to do after the preflight."""
    return _AFTER_PREFLIGHT[preflight.worth]


def _compare_outputs(analysis: BenchAnalysis) -> str:
    lossless = analysis.best_losslessness
    gap = LOSSLESSNESS_GAPS[lossless.gap] if lossless else "not compared"
    return f"Before it is used, its outputs have to be known as the baseline's: {gap}."


def _look_elsewhere(analysis: BenchAnalysis) -> str:
    return (
        f"No draft can reach {factor_text(THRESHOLD)} here: if decode took no time at all it would be "
        f"{factor_text(analysis.ceiling or 1.0)}. Look at prefill and at what is outside the model."
    )


def _more_blocks(analysis: BenchAnalysis) -> str:
    needed = blocks_needed(analysis.best, THRESHOLD) if analysis.best else None
    return (
        f"To decide: about {needed} blocks like these {analysis.plan.blocks} (--blocks {needed}), fewer on a quieter "
        "machine."
    )


def _cache_off(analysis: BenchAnalysis) -> str:
    text = (
        "Run drafts with --prompt-cache-size 0 (`--cache off`): with the prompt cache on, outputs differ from the "
        "baseline's, with it off none does"
    )
    cost = analysis.cache_cost
    if cost is None:
        return f"{text}."
    return (
        f"{text}. That costs {duration_text(cost.without_ns - cost.with_ns)} of prefill in a pass through the queries "
        f"({cost.with_cache} {duration_text(cost.with_ns)}, {cost.without} {duration_text(cost.without_ns)})."
    )


def _use(analysis: BenchAnalysis) -> str:
    result = analysis.best_draft
    if result is None or result.arm.draft is None:
        return ""
    cache = " --cache off" if result.arm.prompt_cache is PromptCache.OFF else ""
    return (
        f"Use it: --draft {analysis.plan.drafts[result.arm.draft]} --num-draft-tokens {result.arm.k}{cache}."
    )


def _largest_cost(analysis: BenchAnalysis) -> str:
    result = improvable(analysis)
    decomposition = result.decomposition if result else None
    worst = decomposition.worst if decomposition else None
    if result is None or decomposition is None or worst is None:
        return ""
    share = worst.ns / decomposition.baseline_ns if decomposition.baseline_ns else 0.0
    return (
        f"Largest cost of {result.arm.name}: {worst.cause}, {share_text(share)} of the baseline's time. "
        f"{_TRY.get(worst.cause, '')}"
    )


def _acceptance(analysis: BenchAnalysis) -> str:
    result = improvable(analysis)
    drafting = analysis.summary(result.arm.name).drafting if result else None
    taken = percent_text(drafting.share if drafting else 0.0)
    return (
        f"The target takes {taken} of the proposals: a smaller k, or a draft trained on the target's own answers, "
        "would raise that."
    )


_WITH_FIGURES: Final[Mapping[BenchAdvice, Callable[[BenchAnalysis], str]]] = {
    BenchAdvice.CACHE_OFF: _cache_off,
    BenchAdvice.COMPARE_OUTPUTS: _compare_outputs,
    BenchAdvice.USE: _use,
    BenchAdvice.LOOK_ELSEWHERE: _look_elsewhere,
    BenchAdvice.MORE_BLOCKS: _more_blocks,
    BenchAdvice.CUT_LARGEST_COST: _largest_cost,
    BenchAdvice.RAISE_ACCEPTANCE: _acceptance,
}
