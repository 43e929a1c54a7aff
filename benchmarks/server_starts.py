"""Pairs of real server starts on the demo model, for `compare_rates.py`: two runs that ask in turns.

    POOL/same/0007-a, 0007-b        two runs that differ in nothing
    POOL/slower/0007-a, 0007-b      the second one's server takes longer for every token (`slow_decode.py`)

The two of a pair ask query by query in turns (`run --turns`), so that what the machine does falls on both; in every
other pair B begins. Of two starts that follow each other the decode differed by 12 % (standard deviation of 28 pairs on
a quiet machine) without any change. A pool is kept and grows.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import slow_decode

SAME, SLOWER = "same", "slower"
KINDS = (SAME, SLOWER)
SLOWER_BY = 0.15


@dataclass(frozen=True, slots=True)
class Pair:
    """Two run folders, each of one server start."""

    a: Path
    b: Path


def pairs(pool: Path, kind: str) -> list[Pair]:
    """The pairs that were collected, whole ones only."""
    found = [Pair(path, path.with_name(path.name[:-1] + "b")) for path in sorted((pool / kind).glob("*-a"))]
    return [pair for pair in found if (pair.a / "done").exists() and (pair.b / "done").exists()]


def collect(pool: Path, count: int, *, repeats: int) -> None:
    """Bring the pool to `count` pairs of each kind, turn by turn."""
    for number in range(count):
        for kind in KINDS:
            folder = pool / kind
            if not (folder / f"{number:04}-b" / "done").exists():
                _run_pair(folder, number, kind, repeats)
                sys.stderr.write(f"pair {number + 1} of {count}, {kind}\n")


def _run_pair(folder: Path, number: int, kind: str, repeats: int) -> None:
    sides = "ab" if number % 2 == 0 else "ba"  # neither is always the first to start
    started = {}
    with tempfile.TemporaryDirectory() as turns:
        for side in sides:
            path = folder / f"{number:04}-{side}"
            started[side] = _start(path, Path(turns), share=_share(kind, side), repeats=repeats)
            _wait_for(Path(turns) / "a.lock", started[side])  # the first place begins
        codes = {side: process.wait() for side, process in started.items()}
    if any(codes.values()):
        sys.stderr.write(f"{folder}/{number:04}: a run failed, the pair is left out: {codes}\n")
        return
    for side in sides:
        _name(folder / f"{number:04}-{side}")


def _share(kind: str, side: str) -> float | None:
    """How much longer a token takes; None is the plain server."""
    return None if kind == SAME else SLOWER_BY if side == "b" else 0.0


def _wait_for(file: Path, run: subprocess.Popen[bytes]) -> None:
    while not file.exists() and run.poll() is None:
        time.sleep(0.05)


def _start(path: Path, turns: Path, *, share: float | None, repeats: int) -> subprocess.Popen[bytes]:
    shutil.rmtree(path, ignore_errors=True)  # what an earlier try left
    path.mkdir(parents=True)
    command = [sys.executable, __file__, "--run", str(path), "--turns", str(turns), "--repeats", str(repeats)]
    return subprocess.Popen(
        command if share is None else [*command, "--slower"],
        stderr=subprocess.DEVNULL,
        env=_environment(share or 0.0),
    )


def _environment(share: float) -> Mapping[str, str]:
    search = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(search), slow_decode.SHARE_VARIABLE: str(share)}


def _name(path: Path) -> None:
    """`run` names its folder by the time; what is in it moves up, so that the pair is told by its names."""
    (made,) = (entry for entry in path.iterdir() if entry.is_dir() and entry.name != "spans")
    for entry in list(made.iterdir()):
        entry.rename(path / entry.name)
    made.rmdir()
    (path / "done").touch()


def _run(path: Path, turns: Path, *, slower: bool, repeats: int) -> int:
    from punie.trace.__main__ import main as punie_trace
    from punie.trace.telemetry.mlx import hook as mlx_hook

    if slower:
        mlx_hook.HOOK = slow_decode.HOOK  # type: ignore[misc]  # the one seam between `run` and its launcher
    told = ["--runs", str(path), "--no-export", "-o", os.devnull, "--force", "--format", "text"]
    return punie_trace(["run", "--repeat", str(repeats), "--turns", str(turns), *told])


def main(arguments: Sequence[str] | None = None) -> int:
    """One run of a pair, in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--turns", type=Path, required=True)
    parser.add_argument("--slower", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    return _run(options.run, options.turns, slower=options.slower, repeats=options.repeats)


if __name__ == "__main__":
    raise SystemExit(main())
