"""What the preflight's process is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from punie.trace.analysis.speculative.estimates import AcceptanceCount


@dataclass(frozen=True, slots=True)
class MeasuringJob:
    """Which models are measured on which prompts (token ids); `seconds` bounds each part, loading apart."""

    model: str
    adapter: str | None
    drafts: tuple[str, ...]
    ks: tuple[int, ...]
    prompts: tuple[tuple[int, ...], ...]
    seconds: float

    @property
    def largest_k(self) -> int:
        """The most tokens that a draft writes in a step."""
        return max(self.ks)


@dataclass(frozen=True, slots=True)
class AnswerTimings:
    """One turn, answered without a draft. `shared_tokens` of its prompt are the beginning of an earlier one."""

    prompt_tokens: int
    shared_tokens: int
    prefill_ns: int
    decode_ns: int
    output_tokens: int
    finished: bool


class TextKind(StrEnum):
    """What a draft's tokens are part of."""

    PROSE = "prose"
    TOOL_CALL = "tool_call"


@dataclass(frozen=True, slots=True)
class DraftTimings:
    """One draft beside the target.

    `answers`: the steps of each answer by what they wrote. `rounds`: nanoseconds of one token, the draft's and the
    target's; `prefills`: those of a prompt. `cache_bytes` are those of `cached_tokens`, of both models.
    """

    weight_bytes: int
    answers: tuple[Mapping[TextKind, AcceptanceCount], ...]
    rounds: tuple[tuple[float, float], ...]
    prefills: tuple[tuple[float, float], ...]
    cache_bytes: int
    cached_tokens: int
    active_bytes: int
    peak_bytes: int
    footprint_bytes: int


@dataclass(frozen=True, slots=True)
class PreflightMeasurements:
    """`rounds`: nanoseconds of the target for 1, 2, … tokens at once. `seconds`: what all of it took."""

    mixture: bool
    target_bytes: int
    rounds: tuple[tuple[float, ...], ...]
    logit_noise: float
    texts: tuple[AnswerTimings, ...]
    drafts: tuple[DraftTimings, ...]
    seconds: float
