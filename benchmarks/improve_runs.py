"""How `improve` ends with real processes and planted times: `python benchmarks/improve_runs.py`.

Unattended runs of `punie-trace improve` on the shop of `examples/slow_agent`: a real agent, real requests, and a stub
server whose times follow its tokens, so that it is known which lever helps. Three things are planted in turn:

    slow     wordy, a turn for each tool, long results: three levers help, and must be confirmed
    useless  tokens cost nothing: being brief and not thinking change nothing, and must not be sold
    wrong    being brief is quicker and loses the answers: it must be kept out

For each run the table shows its ending, what was confirmed and by how much. What the levers truly bring isn't known to
the last percent (agent and network take their time, too): the median of all runs of a kind stands for it, and it is
counted how many of the intervals hold that.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHOP = Path(__file__).parents[1] / "examples" / "slow_agent"


@dataclass(frozen=True, slots=True)
class Kind:
    """What is planted, with which levers it is improved, and how that has to end."""

    name: str
    stub: str
    levers: str
    endings: tuple[str, ...]


KINDS = (
    Kind(
        "slow",
        "--prefill-ms 0.015 --decode-ms 0.3",
        "brief,parallel-tools,tool-results=1000",
        ("improved",),
    ),
    Kind("useless", "--prefill-ms 0 --decode-ms 0", "brief,thinking-off", ("nothing-helps", "undecided")),
    Kind("wrong", "--prefill-ms 0.015 --decode-ms 0.3 --loses-answers", "brief", ("nothing-helps",)),
)
IN_TURN = (0, 1, 0, 1, 0, 2)


@dataclass(frozen=True, slots=True)
class Run:
    """How one run ended; `seconds` is wall time."""

    kind: Kind
    report: dict[str, Any]
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether it ended as it has to."""
        return self.report["ending"] in self.kind.endings

    def line(self, number: int) -> str:
        """A row of the table."""
        found = self.report["confirmation"]
        speed = "" if found is None else _speed(found)
        levers = " + ".join(self.report["winner"]) if self.report["ending"] == "improved" else ""
        right = "" if self.is_right else "  WRONG"
        how = f"{self.kind.name:8} {self.report['ending']:14} {self.seconds:5.0f} s"
        return f"{number:3}  {how}  {speed:22} {levers}{right}"


def _speed(found: dict[str, Any]) -> str:
    ends = found["interval"]
    return f"{found['speed_up']:.2f}× ({ends['low']:.2f}–{ends['high']:.2f})" if ends else "–"


def improve(kind: Kind, seed: int, folder: Path) -> Run:
    """One run, from its beginning to its report. Raises RuntimeError if it leaves none."""
    server = f"{sys.executable} {SHOP / 'stub_server.py'} {{port}} {kind.stub}"
    config = folder / f"{kind.name}.toml"
    config.write_text(f"[server]\nprogram = {json.dumps(server)}\n", encoding="utf-8")
    what = (
        "--agent",
        "shop:make_agent",
        "--suite",
        "shop.toml",
        "--config",
        str(config),
        "--seed",
        str(seed),
    )
    how = ("--only", kind.levers, "--no-history", "--format", "json", "--improvements", str(folder))
    began = time.monotonic()
    command = (sys.executable, "-m", "punie.trace", "improve", *what, *how)
    made = subprocess.run(command, cwd=SHOP, capture_output=True, text=True, check=False)
    if not made.stdout:
        raise RuntimeError(made.stderr)
    return Run(kind, json.loads(made.stdout), time.monotonic() - began)


def runs(count: int, folder: Path) -> Iterator[Run]:
    """`count` of them, one after another."""
    for number in range(count):
        yield improve(KINDS[IN_TURN[number % len(IN_TURN)]], number, folder)


def summary(found: Sequence[Run]) -> Iterator[str]:
    """What the runs of each kind came to."""
    for kind in KINDS:
        own = [run for run in found if run.kind is kind]
        if not own:
            continue
        yield f"{kind.name}: {sum(run.is_right for run in own)} of {len(own)} ended as they have to"
        confirmed = [run.report["confirmation"] for run in own if run.report["ending"] == "improved"]
        if confirmed:
            middle = statistics.median(one["speed_up"] for one in confirmed)
            held = sum(one["interval"]["low"] <= middle <= one["interval"]["high"] for one in confirmed)
            yield f"  median {middle:.2f}×, which {held} of {len(confirmed)} intervals hold"
    yield f"the longest took {max(run.seconds for run in found):.0f} s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table. Exit code 1 if a run ended as it must not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=12)
    options = parser.parse_args(arguments)
    found: list[Run] = []
    with tempfile.TemporaryDirectory() as folder:
        for run in runs(options.runs, Path(folder)):
            found.append(run)
            sys.stdout.write(run.line(len(found)) + "\n")
            sys.stdout.flush()
    sys.stdout.write("\n".join(summary(found)) + "\n")
    return 0 if all(run.is_right for run in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
