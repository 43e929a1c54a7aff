"""What an experiment sets out to do (`bench.json`, format version 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from punie.trace.analysis.experiment.arms import Arm

FORMAT_VERSION: Final = 3
SAME_AGAIN_SUFFIX: Final = "-aa"
"""The end of the name of the arm that is the baseline once more: what differs between these two is noise."""


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """When an experiment may end before its last block; it is looked at after the blocks of `looks` alone.

    looks: numbers of blocks, rising; the last is the plan's number of blocks. Empty: all blocks are run.
    width: it ends where every arm's interval is at most this wide, relative to its estimate. None: no such rule.
    decided: it ends where every arm's verdict is decided.
    """

    looks: tuple[int, ...] = ()
    width: float | None = None
    decided: bool = False


@dataclass(frozen=True, slots=True)
class SpeculativeSettings:
    """What the benchmark of draft models adds to an experiment; times are seconds."""

    preflight_timeout: int = 900
    allow_vocab_mismatch: bool = False
    draft_cache: str = "off"


@dataclass(frozen=True, slots=True)
class ExperimentPlan:
    """An experiment: arms, the queries that they are asked, in how many blocks.

    A block is one pass through all arms, each server started anew; it is the unit that varies. `queries` are the ids of
    the suite, in its order; `suite` is its file, None for the default one. `baseline` and `same_again` are names of
    arms; `same_again` is the baseline once more, None where there is none. `threshold` is the speed-up that counts as
    "faster". `added_at` are the numbers of blocks at which it had ended before more were added. `speculative` is set
    where it is the benchmark of draft models. `created` is ISO 8601, times are seconds unless their name says
    otherwise.
    """

    bench_id: str
    arms: tuple[Arm, ...]
    baseline: str
    suite_name: str
    suite_hash: str
    queries: tuple[str, ...]
    blocks: int
    repeats: int
    seed: int
    created: str
    same_again: str | None = None
    suite: str | None = None
    threshold: float = 1.0
    stopping: StoppingRule = field(default_factory=StoppingRule)
    added_at: tuple[int, ...] = ()
    target_ns: int | None = None
    max_memory_bytes: int | None = None
    query_timeout: int = 300
    ready_timeout: int = 600
    is_demo: bool = False
    speculative: SpeculativeSettings | None = None
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    machine: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    format_version: int = FORMAT_VERSION

    def arm(self, name: str) -> Arm:
        """The arm called `name`. Raises KeyError."""
        return {arm.name: arm for arm in self.arms}[name]
