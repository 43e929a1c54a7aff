"""Tries damaged inputs by the million: `python tests/fuzz/campaign.py [--seed S] [--inputs N] [--only KIND]`.

Input number n of seed S is always the same one, on one commit. What fails is made small and kept in `tests/fuzz/kept`,
where a test tries it from then on. The exit code is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import multiprocessing.connection
import multiprocessing.sharedctypes
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable
from ctypes import c_int64
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from fuzzing.kept import keep  # noqa: E402 # the path is known now
from fuzzing.kinds import KINDS  # noqa: E402 # as above
from fuzzing.minimise import minimise  # noqa: E402 # as above
from fuzzing.worker import CPU_LIMIT_S, Batch, Tried, make, run_worker  # noqa: E402 # as above

HANGS_AFTER_S: Final = 300.0
"""At one input for so long, a worker hangs, however busy the machine is."""
_PRINTED_EVERY_S: Final = 60.0


@dataclass(slots=True)
class Tally:
    """What was tried, by kind and by what came of it, and the smallest input of each fault."""

    by_result: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: dict[tuple[str, str], Tried] = field(default_factory=dict)
    fault_counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, batch: Batch) -> None:
        """Count some."""
        self.by_result += batch.results
        for tried in batch.faults:
            key = tried.kind, tried.fault
            self.fault_counts[key] += 1
            if key not in self.faults:
                print(f"FAULT {tried.kind} #{tried.number}: {tried.fault}", flush=True)
            if len(self.faults.setdefault(key, tried).content) > len(tried.content):
                self.faults[key] = tried

    def lines(self) -> list[str]:
        """The counts as a table."""
        by_kind: Counter[str] = Counter()
        for (kind, _), count in self.by_result.items():
            by_kind[kind] += count
        found = [f"{kind:<9} {count:>9,}" for kind, count in by_kind.most_common()]
        found += [
            f"  {kind:<9} {result:<40} {count:>9,}"
            for (kind, result), count in sorted(self.by_result.items())
        ]
        return found


@dataclass(slots=True)
class Worker:
    """A process, the number of the input that it is at, and since when."""

    process: BaseProcess
    at: c_int64
    seen: int = -1
    since_s: float = field(default_factory=time.monotonic)

    def hangs(self) -> bool:
        """Whether it has been at one input for too long."""
        if self.at.value != self.seen:
            self.seen, self.since_s = self.at.value, time.monotonic()
        return time.monotonic() - self.since_s > HANGS_AFTER_S


class Workers:
    """Processes that share the numbers among them; one that is killed or hangs is replaced behind its input."""

    def __init__(self, seed: int, numbers: range, only: str | None, count: int, minutes: float) -> None:
        self._seed, self._numbers, self._only, self._count = seed, numbers, only, count
        self._until_s = time.monotonic() + minutes * 60
        self._at: dict[Connection, Worker] = {}

    def run(self, tally: Tally, between: Callable[[], None]) -> None:
        """Until every number was tried, or the time is over; `between` is called each second or more often."""
        for first in range(self._count):
            self._start(self._numbers.start + first)
        while self._at:
            ready = multiprocessing.connection.wait([*self._at], timeout=1)
            for pipe in [pipe for pipe in self._at if pipe in ready]:
                self._hear(pipe, tally)
            for pipe in [pipe for pipe, worker in self._at.items() if worker.hangs()]:
                self._replace(
                    pipe, f"no end within {HANGS_AFTER_S:.0f} s, nor after {CPU_LIMIT_S} s of work", tally
                )
            between()

    def _start(self, first: int) -> None:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        numbers = range(first, self._numbers.stop, self._count)
        at = multiprocessing.sharedctypes.RawValue(c_int64, first)
        process = multiprocessing.Process(
            target=run_worker, args=(self._seed, numbers, self._only, self._until_s, at, theirs), daemon=True
        )
        process.start()
        theirs.close()
        self._at[ours] = Worker(process, at)

    def _hear(self, pipe: Connection, tally: Tally) -> None:
        process = self._at[pipe].process
        try:
            word = pipe.recv()
        except (EOFError, OSError):
            process.join()
            self._replace(pipe, f"the process died with status {process.exitcode}", tally)
            return
        if isinstance(word, Batch):
            tally.add(word)
        else:
            process.join()
            del self._at[pipe]

    def _replace(self, pipe: Connection, fault: str, tally: Tally) -> None:
        worker = self._at.pop(pipe)
        worker.process.kill()
        worker.process.join()
        pipe.close()
        number = worker.at.value
        kind, content = make(self._seed, number, self._only)
        tally.add(Batch(Counter({(kind, "fault"): 1}), [Tried(number, kind, "fault", fault, content)]))
        self._start(number + self._count)


def main(arguments: list[str] | None = None) -> int:
    """Run a campaign; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=None, help="of all inputs; a fresh one without it")
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--only", choices=KINDS, help="inputs of this kind alone")
    parser.add_argument("--inputs", type=int, default=10**9, help="how many at most")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long at most")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, default=HERE / "kept", help="where failures go")
    given = parser.parse_args(arguments)
    seed = secrets.randbelow(10**9) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    tally, began_s = Tally(), time.monotonic()
    numbers = range(given.first, given.first + given.inputs)
    Workers(seed, numbers, given.only, given.workers, given.minutes).run(tally, _Progress(tally))
    print(*tally.lines(), sep="\n")
    print(
        f"{_count(tally)} of seed {seed} in {time.monotonic() - began_s:.0f} s, {_cpu_s():.0f} s of processor time"
    )
    for (kind, fault), tried in tally.faults.items():
        path = keep(given.keep, kind, minimise(kind, tried.content, fault), fault)
        print(
            f"FAULT {kind} #{tried.number} ({tally.fault_counts[kind, fault]} times): {fault}\n  kept as {path}"
        )
        print("\n".join(tried.trace.splitlines()[-8:]), flush=True)
    return 1 if tally.faults else 0


class _Progress:
    """A line a minute, so that what was tried is known whatever ends the campaign."""

    def __init__(self, tally: Tally) -> None:
        self._tally, self._next_s = tally, time.monotonic() + _PRINTED_EVERY_S

    def __call__(self) -> None:
        if time.monotonic() > self._next_s:
            self._next_s += _PRINTED_EVERY_S
            print(_count(self._tally), flush=True)


def _count(tally: Tally) -> str:
    return f"{tally.by_result.total():,} inputs, {len(tally.faults)} kinds of faults"


def _cpu_s() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


if __name__ == "__main__":
    sys.exit(main())
