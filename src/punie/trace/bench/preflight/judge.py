"""From what the preflight's process measured to what it predicts. Pure: frozen values in, frozen values out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from punie.trace.analysis.experiment.arms import PromptCache
from punie.trace.analysis.speculative.estimates import (
    AcceptanceCount,
    acceptance,
    median_ratio,
    paired_ratio,
    positions,
)
from punie.trace.analysis.speculative.model import (
    BaselineShape,
    BenchPlan,
    DecodingMode,
    DraftMeasurement,
    Estimate,
    MemoryPrediction,
    Preflight,
    PreflightMeasurement,
    TargetKind,
    VerificationCost,
)
from punie.trace.analysis.speculative.prediction import predict, predict_memory
from punie.trace.bench.preflight.measurements import (
    AnswerTimings,
    DraftTimings,
    PreflightMeasurements,
    TextKind,
)
from punie.trace.errors import ServerError
from punie.trace.units import count_text, percent_text

_WORDED: Final = {TextKind.PROSE: "in prose", TextKind.TOOL_CALL: "in tool calls"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What memory may be used: what the user allows (None: anything), what the machine recommends."""

    limit_bytes: int | None
    recommended_bytes: int | None


def judge(
    measured: PreflightMeasurements, plan: BenchPlan, bounds: Bounds, notes: Sequence[str] = ()
) -> Preflight:
    """The preflight's result. Raises ServerError if too little could be measured."""
    arms = [arm for arm in plan.arms if arm.kind is DecodingMode.DRAFT and arm.k is not None]
    cached_only = all(arm.prompt_cache is PromptCache.SERVER for arm in arms)
    measurement = PreflightMeasurement(
        target_kind=TargetKind.MIXTURE if measured.mixture else TargetKind.DENSE,
        verification=verification(measured.rounds),
        drafts=tuple(_draft(index, item) for index, item in enumerate(measured.drafts)),
        shape=_shape(measured),
        memory=_memory(measured, plan, bounds),
        logit_noise=measured.logit_noise,
        token_ns=_token_ns(measured.texts),
        seconds=measured.seconds,
        notes=(*notes, *_notes(measured)),
    )
    cache = PromptCache.SERVER if cached_only else PromptCache.OFF
    return predict(measurement, sorted({arm.k for arm in arms if arm.k is not None}), cache)


def verification(rounds: Sequence[Sequence[float]]) -> tuple[VerificationCost, ...]:
    """V(1), V(2), … from rounds of timings for 1, 2, … tokens at once. Raises ServerError without a round."""
    if not rounds:
        raise ServerError("the preflight could not time the model", remedy="see preflight.log in its folder")
    ones = [timings[0] for timings in rounds]
    return tuple(
        VerificationCost(
            size + 1,
            Estimate.exact(1.0) if size == 0 else median_ratio([timings[size] for timings in rounds], ones),
        )
        for size in range(len(rounds[0]))
    )


def _draft(index: int, draft: DraftTimings) -> DraftMeasurement:
    answers = [_sum(answer.values()) for answer in draft.answers]
    rate = _acceptance(answers)
    if rate is None:
        raise ServerError(
            f"the preflight saw no step of draft {index}", remedy="use a suite with longer answers"
        )
    return DraftMeasurement(
        draft=index,
        acceptance=rate,
        by_position=positions(answers),
        cost=median_ratio(*_columns(draft.rounds)),
        prefill_cost=paired_ratio(*_columns(draft.prefills)),
        memory_bytes=draft.weight_bytes,
        steps=sum(answer.steps for answer in answers),
    )


def _acceptance(answers: Sequence[AcceptanceCount]) -> Estimate | None:
    """Over answers; where all are alike (all proposals taken, say) what their number allows, the binomial interval."""
    rate = acceptance(answers)
    if rate is None or rate.low < rate.high:
        return rate
    places = zip(*(answer.accepted_by_position for answer in answers if answer.steps), strict=True)
    together = AcceptanceCount(sum(answer.steps for answer in answers), tuple(map(sum, places)))
    return acceptance([together])


def _sum(counts: Iterable[AcceptanceCount]) -> AcceptanceCount:
    rows = [(item.steps, item.accepted_by_position) for item in counts if item.steps]
    places = zip(*(row for _, row in rows), strict=True)
    return AcceptanceCount(sum(steps for steps, _ in rows), tuple(sum(column) for column in places))


def _columns(pairs: Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _shape(measured: PreflightMeasurements) -> BaselineShape | None:
    """Decode and prefill as shares of both together, over all turns: nothing else was looked at."""
    texts = [text for text in measured.texts if text.finished and text.output_tokens > 1]
    if not texts:
        return None
    cached = sum(text.shared_tokens for text in texts) / sum(text.prompt_tokens for text in texts)
    decodes = [float(text.decode_ns) for text in texts]
    wholes = [
        text.decode_ns + text.prefill_ns * (1 - text.shared_tokens / text.prompt_tokens) for text in texts
    ]
    decode = paired_ratio(decodes, wholes)
    share = Estimate(decode.value, decode.low, min(1.0, decode.high))
    return BaselineShape(share, Estimate(1 - share.value, 1 - share.high, 1 - share.low), cached_share=cached)


def _memory(measured: PreflightMeasurements, plan: BenchPlan, bounds: Bounds) -> MemoryPrediction:
    """For the draft that takes most, at the longest prompt and the longest answer that is allowed."""
    longest = max(text.prompt_tokens for text in measured.texts) + (plan.max_tokens or 0)
    return max(
        (
            predict_memory(
                target_bytes=measured.target_bytes,
                draft_bytes=draft.weight_bytes,
                cache_bytes=round(draft.cache_bytes / max(1, draft.cached_tokens) * longest),
                other_bytes=_overhead_bytes(draft),
                limit_bytes=bounds.limit_bytes,
                recommended_bytes=bounds.recommended_bytes,
            )
            for draft in measured.drafts
        ),
        key=lambda memory: memory.total_bytes,
    )


def _overhead_bytes(draft: DraftTimings) -> int:
    """The process without its arrays, and what computing took for a moment."""
    passing = draft.peak_bytes - draft.active_bytes
    return max(0, draft.footprint_bytes - draft.active_bytes) + max(0, passing)


def _token_ns(texts: Sequence[AnswerTimings]) -> int | None:
    tokens = sum(text.output_tokens - 1 for text in texts)
    took_ns = sum(text.decode_ns for text in texts)
    return round(took_ns / tokens) if tokens > 0 else None


def _notes(measured: PreflightMeasurements) -> Iterable[str]:
    for index, draft in enumerate(measured.drafts):
        rates = []
        for kind, words in _WORDED.items():
            rate = acceptance([_sum([answer[kind]]) for answer in draft.answers])
            if rate is not None:
                rates.append(f"{percent_text(rate.value)} {words}")
        yield f"draft {index}: of the tokens that the model looked at it accepted {', '.join(rates)}"
    yield f"measured on {count_text(len(measured.texts), 'turn')} of whole conversations, with what the tools returned"
    yield "the shape of a query is that of the model's work, without the agent, the server and the tools"
