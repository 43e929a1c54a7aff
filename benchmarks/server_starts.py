"""Pairs of real server starts on the demo model, for `compare_rates.py`: two runs at a time, side by side.

    POOL/same/0007-a, 0007-b        two runs that differ in nothing
    POOL/slower/0007-a, 0007-b      the second one's server takes longer for every token (`slow_decode.py`)

The two of a pair run at the same time, so that whatever else the machine does falls on both: on a machine with other
users two starts a minute apart differ by more than any change that is worth finding. A pool is kept and grows.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
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
    started = [
        (side, _start(folder / f"{number:04}-{side}", slower=kind == SLOWER and side == "b", repeats=repeats))
        for side in sides
    ]
    codes = {side: process.wait() for side, process in started}
    if any(codes.values()):
        sys.stderr.write(f"{folder}/{number:04}: a run failed, the pair is left out: {codes}\n")
        return
    for side in sides:
        _name(folder / f"{number:04}-{side}")


def _start(path: Path, *, slower: bool, repeats: int) -> subprocess.Popen[bytes]:
    shutil.rmtree(path, ignore_errors=True)  # what an earlier try left
    path.mkdir(parents=True)
    command = [sys.executable, __file__, "--run", str(path), "--repeats", str(repeats)]
    return subprocess.Popen(
        [*command, "--slower"] if slower else command, stderr=subprocess.DEVNULL, env=_environment()
    )


def _environment() -> Mapping[str, str]:
    search = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(search),
        slow_decode.SHARE_VARIABLE: str(SLOWER_BY),
    }


def _name(path: Path) -> None:
    """`run` names its folder by the time; what is in it moves up, so that the pair is told by its names."""
    (made,) = (entry for entry in path.iterdir() if entry.is_dir() and entry.name != "spans")
    for entry in list(made.iterdir()):
        entry.rename(path / entry.name)
    made.rmdir()
    (path / "done").touch()


def _run(path: Path, *, slower: bool, repeats: int) -> int:
    from punie.trace.__main__ import main as punie_trace
    from punie.trace.telemetry import mlx_hook

    if slower:
        mlx_hook.HOOK = slow_decode.HOOK  # type: ignore[misc]  # the one seam between `run` and its launcher
    told = ["--runs", str(path), "--no-export", "-o", os.devnull, "--force", "--format", "text"]
    return punie_trace(["run", "--repeat", str(repeats), *told])


def main(arguments: Sequence[str] | None = None) -> int:
    """One run of a pair, in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--slower", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    return _run(options.run, slower=options.slower, repeats=options.repeats)


if __name__ == "__main__":
    raise SystemExit(main())
