"""Tries damaged inputs by the thousand: `python tests/fuzz/campaign.py [--seed S] [--inputs N] [--minutes M]`.

Input number n of seed S is always the same one. What fails is made small and kept in `tests/fuzz/kept`, where a test
tries it from then on. The exit code is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import multiprocessing.connection
import os
import secrets
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from fuzzing.kept import keep  # noqa: E402 # the path is known now
from fuzzing.minimise import minimise  # noqa: E402 # as above
from fuzzing.worker import CPU_LIMIT_S, Tried, make, run_worker  # noqa: E402 # as above

HANGS_AFTER_S: Final = 300.0
"""Without a word from a worker for so long, its input hangs, however busy the machine is."""


@dataclass(slots=True)
class Tally:
    """What was tried, by kind and by what came of it, and the first input of each fault."""

    by_kind: Counter[str] = field(default_factory=Counter)
    by_result: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: dict[tuple[str, str], Tried] = field(default_factory=dict)
    fault_counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, tried: Tried) -> None:
        """Count one."""
        self.by_kind[tried.kind] += 1
        self.by_result[tried.kind, tried.result] += 1
        if tried.fault:
            key = tried.kind, tried.fault
            self.fault_counts[key] += 1
            if len(self.faults.setdefault(key, tried).content) > len(tried.content):
                self.faults[key] = tried

    def lines(self) -> list[str]:
        """The counts as a table."""
        found = [f"{kind:<9} {count:>9,}" for kind, count in self.by_kind.most_common()]
        found += [
            f"  {kind:<9} {result:<40} {count:>9,}"
            for (kind, result), count in sorted(self.by_result.items())
        ]
        return found


class Workers:
    """Processes that share the numbers among them; one that is killed or hangs is replaced behind its input."""

    def __init__(self, seed: int, count: int, inputs: int, minutes: float) -> None:
        self._seed, self._count, self._inputs = seed, count, inputs
        self._until_s = time.monotonic() + minutes * 60
        self._at: dict[Connection, tuple[BaseProcess, int]] = {}

    def run(self, tally: Tally) -> None:
        """Until every number was tried, or the time is over."""
        for first in range(self._count):
            self._start(first)
        heard_s = dict.fromkeys(self._at, time.monotonic())
        while self._at:
            ready = multiprocessing.connection.wait([*self._at], timeout=1)
            for pipe in [pipe for pipe in self._at if pipe in ready]:
                heard_s[pipe] = time.monotonic()
                self._hear(pipe, tally)
            for pipe in [*self._at]:
                if time.monotonic() - heard_s.setdefault(pipe, time.monotonic()) > HANGS_AFTER_S:
                    self._replace(
                        pipe, f"no end within {HANGS_AFTER_S:.0f} s, nor after {CPU_LIMIT_S} s of work", tally
                    )

    def _start(self, first: int) -> None:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        numbers = range(first, self._inputs, self._count)
        process = multiprocessing.Process(
            target=run_worker, args=(self._seed, numbers, self._until_s, theirs), daemon=True
        )
        process.start()
        theirs.close()
        self._at[ours] = process, first

    def _hear(self, pipe: Connection, tally: Tally) -> None:
        process, _ = self._at[pipe]
        try:
            word = pipe.recv()
        except (EOFError, OSError):
            process.join()
            self._replace(pipe, f"the process died with status {process.exitcode}", tally)
            return
        if word is None:
            process.join()
            del self._at[pipe]
        elif isinstance(word, int):
            self._at[pipe] = process, word
        else:
            tally.add(word)

    def _replace(self, pipe: Connection, fault: str, tally: Tally) -> None:
        process, number = self._at.pop(pipe)
        process.kill()
        process.join()
        pipe.close()
        kind, content = make(self._seed, number)
        tally.add(Tried(number, kind, "fault", fault, content))
        self._start(number + self._count)


def main(arguments: list[str] | None = None) -> int:
    """Run a campaign; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=None, help="of all inputs; a fresh one without it")
    parser.add_argument("--inputs", type=int, default=10**9, help="how many at most")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long at most")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, default=HERE / "kept", help="where failures go")
    given = parser.parse_args(arguments)
    seed = secrets.randbelow(10**9) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    tally, began_s = Tally(), time.monotonic()
    Workers(seed, given.workers, given.inputs, given.minutes).run(tally)
    took_s = time.monotonic() - began_s
    print(*tally.lines(), sep="\n")
    print(
        f"{tally.by_kind.total():,} inputs of seed {seed} in {took_s:.0f} s, {len(tally.faults)} kinds of faults"
    )
    for (kind, fault), tried in tally.faults.items():
        path = keep(given.keep, kind, minimise(kind, tried.content, fault), fault)
        print(
            f"FAULT {kind} #{tried.number} ({tally.fault_counts[kind, fault]} times): {fault}\n  kept as {path}"
        )
        print("\n".join(tried.trace.splitlines()[-8:]))
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
