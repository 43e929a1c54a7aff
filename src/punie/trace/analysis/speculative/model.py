"""The words of the benchmark of draft models as types: its plan, its preflight, what one query in one arm showed.

An arm is one way of serving the same queries. A block is one pass through all arms, each server started anew; arms
with the same draft share a server start. The block is the unit that varies: see `speedup.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from punie.trace.analysis.experiment.arms import PromptCache
from punie.trace.analysis.experiment.losslessness import ComparisonScope
from punie.trace.model import Verdict

FORMAT_VERSION: Final = 2
THRESHOLD: Final = 1.20  # Σ baseline wall / Σ draft wall that counts as "it helps"
BATCHED: Final = "batched"  # the arm that is what the user runs today
SEQUENTIAL: Final = "sequential"  # the path that drafts use, without a draft
SAME_AGAIN: Final = "batched-aa"  # the baseline once more: what differs between these two is noise


class DecodingMode(StrEnum):
    """How an arm is served: mlx_lm's batching path, its one-by-one path, or that with a draft model."""

    BATCHED = "batched"
    SEQUENTIAL = "sequential"
    DRAFT = "draft"


class TargetKind(StrEnum):
    """What kind of network the target is; several tokens at once cost a mixture of experts more."""

    DENSE = "dense"
    MIXTURE = "mixture-of-experts"


@dataclass(frozen=True, slots=True)
class SpeculativeArm:
    """One way of serving the queries.

    `draft` is an index into `BenchPlan.drafts`, `k` the tokens drafted a step; both None without a draft.
    Names: `batched`, `batched-aa`, `sequential`, `draft0-k3`; an arm that differs from another of its kind by
    its cache alone has `-cache` at its end.
    """

    name: str
    kind: DecodingMode
    draft: int | None = None
    k: int | None = None
    prompt_cache: PromptCache = PromptCache.OFF


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """The other options of a benchmark; times are seconds, paths absolute."""

    suite: str | None = None
    agent: str | None = None
    workspace: str | None = None
    adapter: str | None = None
    query_timeout: int = 300
    ready_timeout: int = 600
    preflight_timeout: int = 900
    allow_vocab_mismatch: bool = False
    draft_cache: str = "off"


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """What a benchmark sets out to do (`bench.json`).

    `drafts` are paths or names; `queries` the ids of the suite, in its order. `settings` are other options,
    `versions` maps package to version, `machine` a fact's name to its value. `created` is ISO 8601. `is_demo` marks
    the demo models, of which no figure says anything about a real one.
    """

    bench_id: str
    model: str
    drafts: tuple[str, ...]
    arms: tuple[SpeculativeArm, ...]
    suite_name: str
    suite_hash: str
    queries: tuple[str, ...]
    blocks: int
    repeats: int
    seed: int
    created: str
    temperature: float = 0.0
    max_tokens: int | None = None
    target_ns: int | None = None
    max_memory_bytes: int | None = None
    is_demo: bool = False
    settings: BenchSettings = field(default_factory=BenchSettings)
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    machine: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    format_version: int = FORMAT_VERSION

    @property
    def cached(self) -> frozenset[str]:
        """The arms with the prompt cache on."""
        return frozenset(arm.name for arm in self.arms if arm.prompt_cache is PromptCache.SERVER)

    @property
    def compared(self) -> ComparisonScope:
        """Whose outputs should be whose: every arm's those of the path that drafts use."""
        others = tuple(arm.name for arm in self.arms if arm.name != SEQUENTIAL)
        return ComparisonScope(SEQUENTIAL, others, sampled=self.temperature > 0)

    def arm(self, name: str) -> SpeculativeArm:
        """The arm called `name`. Raises KeyError."""
        return {arm.name: arm for arm in self.arms}[name]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with the ends of its 95 % interval; `low == value == high` where nothing is known to vary."""

    value: float
    low: float
    high: float

    @classmethod
    def exact(cls, value: float) -> Estimate:
        """A figure without uncertainty."""
        return cls(value, value, value)


@dataclass(frozen=True, slots=True)
class VerificationCost:
    """V(m): the target's time for `tokens` tokens at once, relative to one."""

    tokens: int
    relative: Estimate


@dataclass(frozen=True, slots=True)
class DraftMeasurement:
    """One draft in the preflight.

    `acceptance` is alpha, the chance that the target takes a proposed token if it took those before it.
    `by_position[i]` is the share of steps in which the proposals up to place i were all taken. `cost` is c, the
    draft's time for a token relative to the target's. `prefill_cost` is the draft's prefill relative to the
    target's, None if not measured (then `cost` stands for it). `memory_bytes` is what the loaded draft takes.
    """

    draft: int
    acceptance: Estimate
    by_position: tuple[float, ...]
    cost: Estimate
    prefill_cost: Estimate | None = None
    memory_bytes: int | None = None
    steps: int = 0


@dataclass(frozen=True, slots=True)
class BaselineShape:
    """What a query is like on the baseline, from the preflight's own look at it: shares of its wall time.

    `decode_share` and `prefill_share` are of the wall time, `cached_share` the part of the prompt tokens that the
    cache spares; `path` is the sequential path's time for a token relative to the batched one's (1 where the two
    are alike).
    """

    decode_share: Estimate
    prefill_share: Estimate
    cached_share: float = 0.0
    path: Estimate = field(default_factory=lambda: Estimate.exact(1.0))


@dataclass(frozen=True, slots=True)
class SpeedUpPrediction:
    """What the formula says of one draft at one k: tokens a step, decode's speed-up and that of the whole query.

    `end_to_end` is None where the baseline's shape isn't known.
    """

    draft: int
    k: int
    tokens_per_step: Estimate
    decode: Estimate
    end_to_end: Estimate | None


@dataclass(frozen=True, slots=True)
class MemoryPrediction:
    """Bytes of both models, their caches and what else the server holds, against the bounds that are known.

    `fits` is `undecided` without a bound.
    """

    target_bytes: int
    draft_bytes: int
    cache_bytes: int
    other_bytes: int
    limit_bytes: int | None
    recommended_bytes: int | None
    fits: Verdict

    @property
    def total_bytes(self) -> int:
        """What the server is predicted to take at its peak."""
        return self.target_bytes + self.draft_bytes + self.cache_bytes + self.other_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightMeasurement:
    """What was measured before the long benchmark.

    `verification` is V(m) for m = 1 … largest k + 1. `logit_noise` is the largest difference seen between the
    target's logits for one text computed token by token and several at once: differences of outputs where the
    logits are that close are numeric ties.
    """

    target_kind: TargetKind
    verification: tuple[VerificationCost, ...]
    drafts: tuple[DraftMeasurement, ...]
    shape: BaselineShape | None = None
    memory: MemoryPrediction | None = None
    logit_noise: float | None = None
    token_ns: int | None = None
    seconds: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight(PreflightMeasurement):
    """The same (`preflight.json`) with what it predicts.

    `best` is the prediction with the largest end-to-end (else decode) speed-up. `worth` says whether the long benchmark
    can still find the threshold reached.
    """

    predictions: tuple[SpeedUpPrediction, ...]
    best: SpeedUpPrediction | None
    worth: Verdict
    format_version: int = FORMAT_VERSION
