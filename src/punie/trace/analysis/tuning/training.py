"""All that a training showed, as far as it came: what its report is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from punie.trace.analysis.statistics.decode import DecodeShare
from punie.trace.analysis.tuning.checkpoints import Checkpoint
from punie.trace.analysis.tuning.fusing import Fused
from punie.trace.analysis.tuning.judgement import Judgement
from punie.trace.analysis.tuning.linting import Lint, TrainingMemory
from punie.trace.analysis.tuning.split import Split
from punie.trace.analysis.tuning.worth import Worth
from punie.trace.model import Verdict


class TrainingEnding(StrEnum):
    """How far it came.

    `planned` is a dry run. It may end where decode is too small a share of the time, where the model's own answers are
    no shorter, or where the linter refuses; else it is judged.
    """

    PLANNED = "planned"
    LITTLE_DECODE = "little-decode"
    NOTHING_SHORTER = "nothing-shorter"
    REFUSED = "refused"
    JUDGED = "judged"


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """One step of a training with how long it will take, in ns; None where nothing shows it."""

    name: str
    what: str
    estimate_ns: int | None


@dataclass(frozen=True, slots=True)
class SeedLoss:
    """The losses of one seed's training: pairs of iteration and loss; MLX's peak memory in bytes."""

    seed: int
    losses: tuple[tuple[int, float], ...]
    peak_bytes: int
    restarts: int


@dataclass(frozen=True, slots=True)
class Training:
    """One training. What wasn't reached is None or empty.

    texts: the question of each query id, which isn't published; families: its family. settings: by mlx_lm's names, as
    text.
    examples: queries that gave an example; rows: of training data, own ones included.
    versions, machine: with what and where it began.
    """

    source: str
    created: str
    model: str
    adapter: str | None
    suite: str
    split: Split
    margin: float
    settings: Mapping[str, str]
    seeds: tuple[int, ...]
    samples: int
    temperature: float
    ending: TrainingEnding
    steps: tuple[TrainingStep, ...]
    decode: DecodeShare | None
    worth: Worth | None = None
    examples: tuple[str, ...] = ()
    rows: int = 0
    lint: Lint | None = None
    memory: TrainingMemory | None = None
    losses: tuple[SeedLoss, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    best: Checkpoint | None = None
    fused: tuple[Fused, ...] = ()
    judgement: Judgement | None = None
    texts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    families: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    is_demo: bool = False
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    machine: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def verdict(self) -> Verdict:
        """Whether training pays: `no` where nothing was to win, `undecided` where it wasn't judged."""
        if self.ending in (TrainingEnding.LITTLE_DECODE, TrainingEnding.NOTHING_SHORTER):
            decided = self.worth is None or self.worth.verdict is Verdict.NO
            return Verdict.NO if decided else Verdict.UNDECIDED
        return self.judgement.verdict if self.judgement else Verdict.UNDECIDED
