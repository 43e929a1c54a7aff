"""Is `mlx_lm.server` a version that our launcher supports, and does MLX compute at a usable speed?"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

import msgspec

from punie.trace.doctor.check import CheckResult, PythonError, fail, ok, python_output, unknown, warn

RunPython = Callable[[str], str]

_READ_SERVER: Final = (
    "import json; from importlib.metadata import version; from mlx_lm import server; "
    "from punie.trace.telemetry.mlx.contract import find_mismatches; "
    "print(json.dumps([version('mlx-lm'), find_mismatches(server)]))"
)

MATRIX: Final = 512
SLOW_GFLOPS: Final = 10.0
"""Below this on Linux: the BLAS of MLX's wheel gives about 3, OpenBLAS about 80 on the same two cores."""

_MEASURE_SPEED: Final = f"""
import time
import mlx.core as mx

with mx.stream(mx.cpu):
    a = mx.random.normal(({MATRIX}, {MATRIX}))
    mx.eval(a, a @ a)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        mx.eval(a @ a)
        best = min(best, time.perf_counter() - start)
print(2 * {MATRIX}**3 / best / 1e9)
"""


def check_server_package(run: RunPython = python_output) -> CheckResult:
    """Import the server in a process of its own and compare it with what the launcher hooks into."""
    try:
        version, mismatches = msgspec.json.decode(run(_READ_SERVER), type=tuple[str, tuple[str, ...]])
    except PythonError as error:
        return fail(
            f"can't be imported: {error}",
            "install mlx-lm (on Linux with mlx[cpu]) into this Python",
        )
    if mismatches:
        return warn(
            f"mlx-lm {version} is not one that the launcher supports, so it runs without spans: "
            + "; ".join(mismatches),
            "install a version that punie-trace requires; until then phases are read off the stream",
        )
    return ok(f"mlx-lm {version}, every hook fits")


def check_speed(run: RunPython = python_output, *, platform: str = sys.platform) -> CheckResult:
    """Multiply two matrices on the CPU. Only Linux computes models there."""
    try:
        gflops = float(run(_MEASURE_SPEED))
    except PythonError as error:
        return unknown(f"MLX can't be asked: {error}", "see mlx_lm.server above")
    facts = f"{gflops:.3g} GFLOP/s on the CPU ({MATRIX} × {MATRIX}, float32, best of 5)"
    if platform.startswith("linux") and gflops < SLOW_GFLOPS:
        return warn(
            f"{facts}: a slow BLAS",
            "for speed preload OpenBLAS: LD_PRELOAD=/…/libopenblas.so.0 punie-trace run",
        )
    return ok(facts)
