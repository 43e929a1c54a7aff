"""What to do after a benchmark: the sentences under its verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from punie.trace.analysis.speculative.benchmark import BenchAnalysis, DraftResult
from punie.trace.analysis.speculative.decomposition import Cause, Part
from punie.trace.analysis.speculative.model import THRESHOLD, PromptCache
from punie.trace.analysis.speculative.speedup import blocks_needed
from punie.trace.model import Verdict
from punie.trace.units import duration_text, factor_text, percent_text, share_text

_LOW_ACCEPTANCE: Final = 0.6
_TRY: Final = {
    Cause.BATCHING: "The path that drafts use writes slower than the batched one: look for a newer mlx_lm first.",
    Cause.CACHE: "The prompt is read again on every turn because drafts run without the prompt cache: "
    "shorten the prompt, or try again when mlx_lm keeps the cache right with a draft.",
    Cause.PREFILL_PATH: "The path that drafts use reads the prompt slower: look for a newer mlx_lm first.",
    Cause.DRAFT_PREFILL: "The draft reads the whole prompt as well: try a smaller draft.",
    Cause.DRAFT_COST: "Try a smaller draft, or one with fewer bits.",
    Cause.VERIFICATION: "Checking several tokens at once costs this target much: try a smaller k.",
    Cause.DRAFTING: "Run the preflight too: without it, drafting can't be split into its costs.",
    Cause.UNEXPLAINED: "Decode takes longer than the measured costs explain: look at the server between steps.",
    Cause.OUTSIDE: "Time outside the model differs between the arms: look at `punie-trace report` of one cell each.",
}


def next_steps(found: BenchAnalysis) -> tuple[str, ...]:
    """What to do now, the most important first."""
    return tuple(_steps(found))


def _steps(found: BenchAnalysis) -> Iterator[str]:
    if found.missing:
        yield "Finish it: the same command with --resume goes on where it stopped."
    elif found.gap:
        yield "Look at the integrity findings first; then run the affected cells again."
    yield from _cache(found)
    if found.gap:
        return
    if found.verdict is Verdict.YES:
        yield _use(found)
    elif found.ceiling is not None and found.ceiling < THRESHOLD:
        yield (
            f"No draft can reach {factor_text(THRESHOLD)} here: if decode took no time at all it would be "
            f"{factor_text(found.ceiling)}. Look at prefill and at what is outside the model."
        )
    else:
        if found.verdict is Verdict.UNDECIDED:
            yield _more_blocks(found)
        yield from _improve(found)


def _cache(found: BenchAnalysis) -> Iterator[str]:
    if not found.gate.cache_is_to_blame:
        return
    text = (
        "Run drafts with --prompt-cache-size 0 (`--cache off`): with the prompt cache on, outputs differ from the "
        "baseline's, with it off none does"
    )
    if found.cache_cost is not None:
        cost = found.cache_cost
        more = cost.without_ns - cost.with_ns
        text += (
            f". That costs {duration_text(more)} of prefill in a pass through the queries ({cost.with_cache} "
            f"{duration_text(cost.with_ns)}, {cost.without} {duration_text(cost.without_ns)})"
        )
    yield text + "."


def _use(found: BenchAnalysis) -> str:
    result = found.best_draft
    if result is None or result.arm.draft is None:
        return ""
    flags = f"--draft {found.plan.drafts[result.arm.draft]} --num-draft-tokens {result.arm.k}"
    cache = " --cache off" if result.arm.prompt_cache is PromptCache.OFF else ""
    return f"Use it: {flags}{cache}."


def _more_blocks(found: BenchAnalysis) -> str:
    needed = blocks_needed(found.best) if found.best else None
    if needed is None:
        return f"More blocks would hardly decide: the speed-up itself is about {factor_text(THRESHOLD)}."
    return (
        f"To decide: about {needed} blocks like these {found.plan.blocks} (--blocks {needed}), fewer on a quieter "
        "machine."
    )


def _improve(found: BenchAnalysis) -> Iterator[str]:
    result = found.best_draft or next(iter(found.drafts), None)
    if result is None:
        return
    worst = result.decomposition.worst if result.decomposition else None
    if worst is None:
        yield "Nothing costs more with the draft; what it saves is too little: try a larger k or another draft."
    if worst is not None and result.decomposition is not None:
        share = worst.ns / result.decomposition.baseline_ns if result.decomposition.baseline_ns else 0.0
        yield (
            f"Largest cost of {result.arm.name}: {worst.cause}, {share_text(share)} of the baseline's time. "
            f"{_try(worst)}"
        )
    yield from _acceptance(found, result)


def _try(part: Part) -> str:
    return _TRY.get(part.cause, "")


def _acceptance(found: BenchAnalysis, result: DraftResult) -> Iterator[str]:
    drafting = found.summary(result.arm.name).drafting
    if drafting is None or not drafting.drafted:
        return
    share = drafting.accepted / drafting.drafted
    if share < _LOW_ACCEPTANCE:
        yield (
            f"The target takes {percent_text(share)} of the proposals: a smaller k, or a draft trained on the "
            "target's own answers, would raise that."
        )
