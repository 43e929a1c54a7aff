"""A training by `mlx_lm lora`: what its process is asked for, and the losses that it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LoraJob:
    """`settings` go over mlx_lm's defaults, by its names.

    `done` iterations were made before; `state` is the file of what stood beside the weights then, None without any.
    """

    done: int
    state: str | None
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Losses:
    """The losses of one training: pairs of iteration and mean loss since the pair before. `peak_bytes`: of MLX.

    restarts: 1 where it was interrupted and went on from a checkpoint.
    """

    train: tuple[tuple[int, float], ...]
    peak_bytes: int
    restarts: int = 0
