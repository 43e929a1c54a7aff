"""How much memory a model may take on this machine."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum

import psutil

from punie.trace.errors import ServerError
from punie.trace.server.command import SAFELY

_ASK_MLX = "import mlx.core as mx; print(mx.device_info()['max_recommended_working_set_size'])"


class LimitSource(StrEnum):
    """Who says so.

    `metal`: the GPU's recommended working set, beyond which macOS starts to evict and to compress.
    `total`: all memory of the machine; nobody recommends less.
    """

    METAL = "metal"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """A number of bytes and where it comes from."""

    limit_bytes: int
    source: LimitSource


def recommended_limit(*, platform: str = sys.platform, python: str = sys.executable) -> MemoryLimit:
    """The recommended working set on Apple silicon, else all memory.

    MLX is asked in a process of its own: importing it here would take memory and time. Raises `ServerError` if
    that fails.
    """
    if platform != "darwin":
        return MemoryLimit(psutil.virtual_memory().total, LimitSource.TOTAL)
    answer = subprocess.run(
        (python, SAFELY, "-c", _ASK_MLX), capture_output=True, text=True, check=False, timeout=60
    )
    if answer.returncode != 0:
        raise ServerError("MLX doesn't report the recommended memory", log_tail=answer.stderr[-2000:])
    return MemoryLimit(int(answer.stdout), LimitSource.METAL)
