"""What the commands that users type cost at scale, each beside its aim: `python benchmarks/report_speed.py`.

Spans are made up (`spans_generator.py`), one OTLP JSON document a line. Every command runs in a process of its own, in
turn with the others, and the least of several rounds counts. Times of single processes are processor time (user and
system), those of several processes wall time: these need a quiet machine. Memory is the largest of one process.

Made-up spans name their phase and little else. `--run FOLDER` adds a line for a run's own spans (`run_copies.py`), with
their requests, counts and content.

"Before" is commit 1f4eb83, whose sources are taken from the repository's history and run with this environment's
packages. Without the history its lines say so. `msgspec` is its typed decoding of the same file, all structs kept.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from run_copies import copies_of
from spans_generator import generate, otlp_lines

BEFORE: Final = "1f4eb83"
_REPOSITORY: Final = Path(__file__).parents[1]
_MICROS_A_BLOCK: Final = 5
_COMPILED: Final = "PYTHONDONTWRITEBYTECODE"  # bytecode is kept, as it is where a package is installed
_DECODE: Final = """
import gc, sys
sys.path.insert(0, sys.argv[1])
import msgspec
from loading import Traces
gc.disable()
decode = msgspec.json.Decoder(Traces).decode
kept = [decode(line) for line in open(sys.argv[2], "rb")]
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a command took: processor and wall time in seconds, the largest process in bytes."""

    processor_s: float
    wall_s: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Row:
    """One figure beside its aim: at most, unless `at_least`."""

    what: str
    figure: float
    aim: float
    unit: str = "x"
    at_least: bool = False

    def __str__(self) -> str:
        met = self.figure >= self.aim if self.at_least else self.figure <= self.aim
        bound = "at least" if self.at_least else "at most"
        verdict = "met" if met else "NOT met"
        return f"{self.what:<52} {self.figure:8.2f} {self.unit:<3} {bound} {self.aim:g} {verdict}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every figure with its aim, then how time and memory grow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--traces", type=int, default=5_300, help="of about 19 spans each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--run", type=Path, metavar="FOLDER", help="a run's folder: also with copies of its own spans"
    )
    parser.add_argument(
        "--growth",
        type=int,
        nargs="*",
        default=[530, 5_300],
        metavar="TRACES",
        help="sizes of the last table",
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        bench = _Bench(Path(folder), options.rounds)
        for row in bench.rows(options.traces):
            print(row, flush=True)
        if options.run is not None:
            for row in bench.rows_of_run(options.run, options.traces):
                print(row, flush=True)
        print(f"\n{'spans':>10} {'processor':>10} {'µs a span':>10} {'MB':>7} {'bytes a span':>13}")
        for traces in options.growth:
            print(bench.growth(traces), flush=True)
    return 0


class _Bench:
    """Runs commands over files in one folder; every file is made once."""

    def __init__(self, folder: Path, rounds: int) -> None:
        self._folder, self._rounds = folder, rounds
        self._before = _sources_before(folder)
        self._spans: dict[int, int] = {}
        self._compile()

    def _compile(self) -> None:
        """Run each version once, so that what is measured finds its bytecode."""
        self._report(self._file(5))
        if self._before is not None:
            self._report(self._file(5), before=True)

    def rows(self, traces: int) -> Iterator[Row | str]:
        file = self._file(traces)
        now = self._report(file)
        yield f"{self._spans[traces]:,} spans, {traces:,} queries: text in {now.processor_s:.2f} s of processor time"
        if self._before is None:
            yield f"before: not measured, for {BEFORE} is not in this repository's history"
        else:
            before = self._report(file, before=True)
            ratio = before.processor_s / now.processor_s
            yield Row("report, one process, times as fast as before", ratio, 6, at_least=True)
        yield Row("JSON, times the text", self._report(file, "json").processor_s / now.processor_s, 1.3)
        decoded = self._least([sys.executable, "-c", _DECODE, str(_REPOSITORY / "benchmarks"), str(file)])
        two = self._report(file, processes=2)
        yield Row("report, two processes, times msgspec's decoding", two.wall_s / decoded.processor_s, 6)
        yield Row("memory, one process, KB a span", now.peak_bytes / 1e3 / self._spans[traces], 1, "KB")
        yield Row("--help, seconds", self._least([*_program(), "--help"]).processor_s, 0.12, "s")
        yield from self._few()
        yield self._compared(traces // 2)

    def rows_of_run(self, run: Path, traces: int) -> Iterator[Row | str]:
        """The report of a run's own spans, about as many as `traces` of the made-up ones have."""
        file = self._folder / "run.jsonl"
        with file.open("w") as into:
            lines = [into.write(f"{line}\n") for line in copies_of(run, 19 * traces)]
        now = self._report(file)
        yield f"{len(lines):,} spans of {run.name}: text in {now.processor_s:.2f} s of processor time"
        if self._before is not None:
            ratio = self._report(file, before=True).processor_s / now.processor_s
            yield Row("report of a run's own spans, times as fast", ratio, 6, at_least=True)

    def growth(self, traces: int) -> str:
        """A line of the last table, and a bar of the time a span: they are equally long where time is linear."""
        cost = self._report(self._file(traces))
        spans = self._spans[traces]
        micros, each = cost.processor_s / spans * 1e6, cost.peak_bytes / spans
        figures = f"{spans:>10,} {cost.processor_s:>8.2f} s {micros:>10.1f} {cost.peak_bytes / 1e6:>7.0f} {each:>13.0f}"
        return f"{figures} {'█' * round(micros / _MICROS_A_BLOCK)}"

    def _few(self) -> Iterator[Row]:
        file = self._file(5)
        if self._before is not None:
            ratio = self._report(file).processor_s / self._report(file, before=True).processor_s
            yield Row("a run of five queries, times before", ratio, 1)

    def _compared(self, traces: int) -> Row:
        sides = [self._file(traces, seed) for seed in (1, 2)]
        reports = sum(self._report(side).processor_s for side in sides)
        compared = self._least([*_program(), "compare", *map(str, sides)], PUNIE_PROCESSES="1")
        return Row("compare, times the reports of both sides", compared.processor_s / reports, 1.2)

    def _report(self, file: Path, how: str = "text", *, processes: int = 1, before: bool = False) -> Cost:
        more = {"PYTHONPATH": str(self._before)} if before else {}
        command = [*_program(), "report", str(file), "--format", how]
        return self._least(command, PUNIE_PROCESSES=str(processes), **more)

    def _least(self, command: Sequence[str], **environment: str) -> Cost:
        costs = [_run(command, environment) for _ in range(self._rounds)]
        return Cost(
            min(cost.processor_s for cost in costs),
            min(cost.wall_s for cost in costs),
            min(cost.peak_bytes for cost in costs),
        )

    def _file(self, traces: int, seed: int = 1) -> Path:
        path = self._folder / f"{traces}-{seed}.jsonl"
        if not path.exists():
            spans = generate(traces, seed)
            self._spans[traces] = len(spans)
            with path.open("w") as file:
                file.writelines(f"{line}\n" for line in otlp_lines(spans))
        return path


def _program() -> list[str]:
    return [sys.executable, "-m", "punie.trace"]


def _run(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    begun = time.perf_counter()
    inherited = {name: value for name, value in os.environ.items() if name != _COMPILED}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**inherited, **environment}) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: ended with {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(used.ru_utime + used.ru_stime, time.perf_counter() - begun, used.ru_maxrss * unit)


def _sources_before(folder: Path) -> Path | None:
    """The sources of `BEFORE`; None if the repository's history doesn't have it."""
    archive = subprocess.run(
        ["git", "-C", str(_REPOSITORY), "archive", BEFORE, "src"],  # noqa: S607 # whose git there is
        capture_output=True,
        check=False,
    )
    if archive.returncode:
        return None
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder / "before", filter="data")
    return folder / "before" / "src"


if __name__ == "__main__":
    sys.exit(main())
