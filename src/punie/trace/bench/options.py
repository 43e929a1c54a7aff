"""The options of a benchmark of draft models: one declaration for the command line and the plan file.

What a plan file may say of them, and which wins, is in `plan_options.py`. `--help` needs this file: it imports little.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Literal, get_args

from punie.trace.analysis.experiment.size import DEFAULT_BLOCKS, DEFAULT_REPEATS
from punie.trace.flags import (
    PREFLIGHT_TIMEOUT,
    agent_flag,
    allow_vocab_mismatch_flag,
    max_memory_flag,
    max_tokens_flag,
    query_timeout_flag,
    ready_timeout_flag,
    seed_flag,
    suite_flag,
    target_flag,
    temperature_flag,
    workspace_flag,
)
from punie.trace.options import choice, flag, whole_number
from punie.trace.units import parse_bytes, parse_duration_ns

DEMO: Final = "demo"
DraftCache = Literal["off", "server", "both"]


def _ks(text: str) -> tuple[int, ...]:
    return tuple(whole_number(1)(item) for item in text.split(","))


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """Everything that a benchmark is to do. Without `model` it is the demo pair; times are seconds."""

    model: str | None = flag("--model", "PATH", "a folder, or ORG/NAME", shown="the demo model")
    adapter: str | None = flag("--adapter", "PATH", "a LoRA adapter for the model")
    draft: tuple[str, ...] = flag(
        "--draft",
        "PATH",
        "a draft model; may be given several times",
        action="append",
        default=(),
        shown="demo",
    )
    k: tuple[int, ...] = flag(
        "--num-draft-tokens",
        "K",
        "tokens drafted a step; several, with commas, are compared",
        parse=_ks,
        default=(2, 3, 5),
        shown="2,3,5",
        formerly="--k",
    )
    draft_cache: DraftCache = choice(
        "--draft-cache",
        get_args(DraftCache),
        "the prompt cache of the draft arms",
        default="off",
        shown="off, since mlx_lm corrupts the context with it",
    )
    allow_vocab_mismatch: bool = allow_vocab_mismatch_flag()
    max_tokens: int = max_tokens_flag()
    temperature: float = temperature_flag()
    suite: str | None = suite_flag()
    agent: str | None = agent_flag()
    workspace: str | None = workspace_flag()
    query_timeout: int = query_timeout_flag()
    ready_timeout: int = ready_timeout_flag()
    preflight_timeout: int = flag(
        PREFLIGHT_TIMEOUT,
        "S",
        "seconds for the preflight with loading",
        parse=whole_number(1),
        default=900,
    )
    blocks: int = flag(
        "--blocks", "N", "starts of each server", parse=whole_number(1, 10_000), default=DEFAULT_BLOCKS
    )
    repeat: int | None = flag(
        "--repeat",
        "N",
        "passes over the suite in a start",
        parse=whole_number(1, 10_000),
        shown="1; 2 with the drafts' prompt cache on",
    )
    seed: int = seed_flag()
    target: str | None = target_flag()
    max_memory: str | None = max_memory_flag(shown="")

    @property
    def repeats(self) -> int:
        """With the cache on a second pass by default: what mlx_lm then corrupts shows in prompts that it has seen."""
        return self.repeat or (DEFAULT_REPEATS if self.draft_cache == "off" else max(2, DEFAULT_REPEATS))

    @property
    def drafts(self) -> tuple[str, ...]:
        """The draft models; the demo's without any."""
        return self.draft or (DEMO,)

    @property
    def target_ns(self) -> int | None:
        """Raises UsageError for what is no time."""
        return parse_duration_ns(self.target, flag="--target") if self.target else None

    @property
    def max_memory_bytes(self) -> int | None:
        """Raises UsageError for what is no size."""
        return parse_bytes(self.max_memory, flag="--max-memory") if self.max_memory else None


NAMES: Final = tuple(item.name for item in fields(BenchOptions))
"""Every option, as the plan file writes it; a flag has dashes in place of underscores."""
