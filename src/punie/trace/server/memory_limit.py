"""How much memory a model may take on this machine."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum

import psutil

from punie.trace.safely import SAFELY

_READ_FROM_MLX = "import mlx.core as mx; print(mx.device_info()['max_recommended_working_set_size'])"


class LimitSource(StrEnum):
    """Who says so.

    `metal`: the GPU's recommended working set, beyond which macOS starts to evict and to compress.
    `total`: all memory of the machine: nobody recommends less, or it isn't known what MLX recommends.
    """

    METAL = "metal"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """A number of bytes and where it comes from."""

    limit_bytes: int
    source: LimitSource


def recommended_limit(*, platform: str = sys.platform, python: str = sys.executable) -> MemoryLimit:
    """The recommended working set on Apple silicon, else all memory, as where MLX recommends nothing.

    MLX is asked in a process of its own: importing it here would take memory and time.
    """
    recommended = _read_from_mlx(python) if platform == "darwin" else None
    if recommended is None:
        return MemoryLimit(psutil.virtual_memory().total, LimitSource.TOTAL)
    return MemoryLimit(recommended, LimitSource.METAL)


def _read_from_mlx(python: str) -> int | None:
    """None where it doesn't say: a figure that is missing ends no run."""
    command = (python, SAFELY, "-c", _READ_FROM_MLX)
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        return int(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
