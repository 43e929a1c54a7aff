"""What a draft will bring, predicted from a minute of measuring: before a long benchmark is begun.

With acceptance alpha and k drafted tokens a step yields (1 - alpha^(k+1)) / (1 - alpha) tokens and costs k*c + V(k+1):
c is the draft's time for a token, V(m) the target's for m tokens at once, both relative to one token of the target.
Source: Leviathan, Kalman and Matias, "Fast Inference from Transformers via Speculative Decoding" (2023), who take
V = 1. That holds for a dense model whose weights are read once whatever m is; in a mixture of experts more tokens
touch more experts, V grows with m, and a draft can make it slower. So V is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Final

from punie.trace.analysis.experiment.arms import PromptCache
from punie.trace.analysis.speculative.estimates import propagate
from punie.trace.analysis.speculative.model import (
    THRESHOLD,
    BaselineShape,
    DraftMeasurement,
    Estimate,
    MemoryPrediction,
    Preflight,
    PreflightMeasurement,
    SpeedUpPrediction,
)
from punie.trace.model import Verdict

_TINY: Final = 1e-9


def expected_tokens(acceptance: float, k: int) -> float:
    """Tokens that a step of `k` proposals yields: 1 + alpha + … + alpha^k, which is the formula without its 0/0."""
    return sum(acceptance**power for power in range(k + 1))


def decode_speed_up(tokens_per_step: float, k: int, draft_cost: float, verification: float) -> float:
    """How much faster the sequential path writes with a draft than without."""
    return tokens_per_step / (k * draft_cost + verification)


def tokens_per_step(draft: DraftMeasurement, k: int) -> Estimate:
    """Tokens a step at `k`, from the acceptance measured by place, from alpha where places weren't measured.

    Later places than those measured go on with alpha. The interval is alpha's, carried over.
    """
    rate = draft.acceptance
    known = draft.by_position[:k]
    middle = 1 + sum(known)
    reached = known[-1] if known else 1.0
    middle += sum(reached * rate.value ** (place + 1) for place in range(k - len(known)))
    whole = expected_tokens(rate.value, k)
    low, high = (middle * expected_tokens(end, k) / whole for end in (rate.low, rate.high))
    return Estimate(middle, min(low, middle), max(high, middle))  # rounding may cross them


def end_to_end(
    shape: BaselineShape, draft: DraftMeasurement, decode: Estimate, cache: PromptCache
) -> Estimate:
    """The speed-up of a whole query against the batched baseline, by Amdahl: only decode gets faster.

    Decode first changes the path (drafts aren't batched). Prefill is done by the draft as well, and with the cache
    off for the whole prompt. The rest stays.
    """
    uncached = 1 - shape.cached_share if cache is PromptCache.OFF else 1.0
    prefill_cost = draft.prefill_cost or draft.cost

    def formula(
        speed_up: float, decode_share: float, prefill_share: float, path: float, cost: float
    ) -> float:
        rest = max(0.0, 1 - decode_share - prefill_share)
        prefill = prefill_share / max(uncached, _TINY) * (1 + cost)
        return 1 / (decode_share * path / speed_up + prefill + rest)

    return propagate(formula, decode, shape.decode_share, shape.prefill_share, shape.path, prefill_cost)


def predict(
    measured: PreflightMeasurement, ks: Sequence[int], cache: PromptCache = PromptCache.OFF
) -> Preflight:
    """Every draft at every `k`, the best of them, and whether the long benchmark is worth it."""
    predictions = tuple(_predictions(measured, ks, cache))
    best = max(predictions, key=lambda p: headline(p).value, default=None)
    measurements = {item.name: getattr(measured, item.name) for item in fields(PreflightMeasurement)}
    worth = _worth(predictions, best, measured.memory)
    return Preflight(**measurements, predictions=predictions, best=best, worth=worth)


def headline(prediction: SpeedUpPrediction) -> Estimate:
    """The predicted speed-up that counts: end to end where it is known, else that of decode."""
    return prediction.end_to_end or prediction.decode


def predict_memory(
    *,
    target_bytes: int,
    draft_bytes: int,
    cache_bytes: int = 0,
    other_bytes: int = 0,
    limit_bytes: int | None = None,
    recommended_bytes: int | None = None,
) -> MemoryPrediction:
    """Whether both models fit into what the user allows and what the machine recommends."""
    total = target_bytes + draft_bytes + cache_bytes + other_bytes
    bounds = [bound for bound in (limit_bytes, recommended_bytes) if bound is not None]
    fits = Verdict.UNDECIDED if not bounds else (Verdict.YES if total <= min(bounds) else Verdict.NO)
    return MemoryPrediction(
        target_bytes, draft_bytes, cache_bytes, other_bytes, limit_bytes, recommended_bytes, fits
    )


def _predictions(
    measured: PreflightMeasurement, ks: Sequence[int], cache: PromptCache
) -> Iterator[SpeedUpPrediction]:
    cost_of = {item.tokens: item.relative for item in measured.verification}
    for draft in measured.drafts:
        for k in ks:
            if k + 1 not in cost_of:
                continue
            tokens = tokens_per_step(draft, k)
            decode = propagate(
                lambda t, c, v, k=k: decode_speed_up(t, k, c, v), tokens, draft.cost, cost_of[k + 1]
            )
            whole = end_to_end(measured.shape, draft, decode, cache) if measured.shape else None
            yield SpeedUpPrediction(draft.draft, k, tokens, decode, whole)


def _worth(
    predictions: Sequence[SpeedUpPrediction], best: SpeedUpPrediction | None, memory: MemoryPrediction | None
) -> Verdict:
    if memory is not None and memory.fits is Verdict.NO:
        return Verdict.NO
    if best is None:
        return Verdict.UNDECIDED
    highest = max(headline(prediction).high for prediction in predictions)
    return Verdict.NO if highest < THRESHOLD else Verdict.YES
