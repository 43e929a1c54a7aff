"""What a training sets out to do, as `training.json` keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from punie.trace.analysis.tuning.margin import DEFAULT_MARGIN
from punie.trace.analysis.tuning.split import Split

FORMAT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """What `mlx_lm lora` is given, under its own names; the rest are its defaults.

    keys: the layers that are touched. Attention alone gives an adapter that is small and quick; mlx_lm's default
        touches the experts of a mixture as well.
    checkpoints: how many are judged: the last, the one half way there, half way to that, and so on. A model learns to
        say less in few steps, and forgets in the many that follow.
    """

    iters: int = 300
    num_layers: int = 16
    batch_size: int = 1
    learning_rate: float = 1e-4
    max_seq_length: int = 2048
    rank: int = 8
    scale: float = 20.0
    keys: tuple[str, ...] = (
        "self_attn.q_proj",
        "self_attn.k_proj",
        "self_attn.v_proj",
        "self_attn.o_proj",
    )
    checkpoints: int = 6

    @property
    def save_every(self) -> int:
        """Iterations from one saving to the next."""
        return max(1, self.iters >> (self.checkpoints - 1))

    @property
    def judged(self) -> tuple[int, ...]:
        """The iterations whose weights are judged."""
        before = (self.save_every << number for number in range(self.checkpoints - 1))
        return (*(iteration for iteration in before if iteration < self.iters), self.iters)


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """One training, from its data to its judgement.

    runs: the run folders that it rests on. model, adapter: what they were served with, a folder or a name.
    prompt_cache: "server" or "off", as in the runs. suite: its file, None for the default one.
    samples: how often each query that is trained on is asked, at `temperature`.
    blocks: passes of the judgement. margin: the share of answers that may get worse, set before anything is known.
    examples: a file of rows that the user adds. created is ISO 8601.
    """

    training_id: str
    created: str
    runs: tuple[str, ...]
    model: str
    suite_name: str
    suite_hash: str
    split: Split
    adapter: str | None = None
    prompt_cache: str = "server"
    agent: str | None = None
    workspace: str | None = None
    suite: str | None = None
    max_tokens: int | None = None
    settings: LoraSettings = field(default_factory=LoraSettings)
    seeds: tuple[int, ...] = (0,)
    samples: int = 8
    temperature: float = 0.8
    blocks: int = 3
    margin: float = DEFAULT_MARGIN
    examples: str | None = None
    query_timeout: int = 300
    ready_timeout: int = 600
    is_demo: bool = False
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    machine: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    format_version: int = FORMAT_VERSION
