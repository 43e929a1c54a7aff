"""What commands cost at scale, each figure beside its aim and its peers: `python benchmarks/scale.py`.

| part | what is measured | peers beside it |
| --- | --- | --- |
| commands | `report` as text and JSON, in one and two processes, `compare`, `--help`, memory a span | commit 1f4eb83, msgspec's typed decoding, DuckDB reading the same JSON |
| Parquet | `report FILE.parquet --in-database --by day` | Polars reading the same file |
| ClickHouse | `in_database.py`: the statement that `report clickhouse://… --in-database` sends, and the command | the command of commit 1f4eb83 |
| reading | `loading.py`: JSON lines to spans, which every report makes of them | msgspec's typed decoding, `json` |
| ledger | `ledger_speed.py`: the sweep that every report makes | a plain loop, Polars |
| critical path | `critical_path.py`: the walk that every report makes | Jaeger's algorithm, CRISP's |
| growth | `report` of ever more spans, from JSON lines and, by DuckDB, from Parquet: a table, and a plot with `--plot FILE.svg` | |

Every command runs in a process of its own, in turn with the others, and the least of several rounds counts. Times of
single processes are processor time (user and system), those of several processes wall time: these need a quiet machine.
Memory is the largest of one process. Spans are made up (`spans_generator.py`; in Parquet and ClickHouse copies of 44
queries with the attributes of a run): they name their phase and little else. `--run FOLDER` adds a line for copies of a
run's own spans (`run_copies.py`), with their requests, counts and content.

Without flags 100,000 spans, 1 M in the databases, growth to 100,000: minutes. `--full` takes the sizes of the aims, 1 M,
10 M and 6 M, and growth to 10 M: hours, tens of gigabytes of disk. `--quick` shows that all parts work.

Commit 1f4eb83 is built from the repository's history into an environment of its own, with the packages that its lock
file names (`earlier_version.py`). Without the history or without uv a line says so.
"""  # noqa: E501

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from earlier_version import NotBuiltError, python_of
from run_copies import copies_of
from spans_generator import generate, otlp_lines

SIZES: Final = {
    "quick": (530, 100_000, 100_000, [53, 530]),
    "usual": (5_300, 1_000_000, 1_000_000, [530, 5_300]),
    "full": (53_000, 10_000_000, 6_000_000, [530, 5_300, 53_000, 530_000]),
}
"""Traces of the commands, spans in Parquet and in ClickHouse, traces of the growth."""

BEFORE: Final = "1f4eb83"
_REPOSITORY: Final = Path(__file__).parents[1]
_MICROS_A_BLOCK: Final = 5
_LONGEST_BAR: Final = 40
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


_DUCKDB: Final = """
import sys
import duckdb
duckdb.sql(f"SELECT count(*), max(length(CAST(resourceSpans AS VARCHAR))) FROM read_ndjson('{sys.argv[1]}')").fetchall()
"""
_POLARS: Final = """
import sys
import polars as pl
of = pl.scan_parquet(sys.argv[1]).group_by(pl.col("Timestamp").dt.date()).agg(pl.col("Duration").sum())
of.collect()
"""
_PARQUET: Final = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import duckdb
from parquet_spans import Form, write_parquet
from query_trees import forty_queries, seeded
path, spans = Path(sys.argv[2]), forty_queries(seeded(3))
seed, copies = path.with_name('seed.parquet'), -(-int(sys.argv[3]) // len(spans))
write_parquet(seed, spans, Form.EXPORTER)
connection = duckdb.connect()
connection.execute("SET enable_progress_bar = false")
connection.execute(
    "COPY (SELECT * REPLACE (md5(TraceId || n) AS TraceId, "
    "make_timestamp_ns(epoch_ns(Timestamp) - n * 1000000000) AS Timestamp) "
    f"FROM range({copies}) AS r(n), '{seed}') TO '{path}' (FORMAT parquet)"
)
print(copies * len(spans))
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
    """Print every figure with its aim and its peers, then how time and memory grow; 1 if a part failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument(
        "--full", action="store_const", dest="size", const="full", help="the sizes of the aims"
    )
    sizes.add_argument(
        "--quick", action="store_const", dest="size", const="quick", help="all parts, no figures to quote"
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--run", type=Path, metavar="FOLDER", help="a run's folder: also with copies of its own spans"
    )
    parser.add_argument(
        "--growth", type=int, nargs="*", metavar="TRACES", help="sizes of the last table, of 19 spans each"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="where to draw the growth")
    options = parser.parse_args(arguments)
    traces, in_parquet, in_clickhouse, growth = SIZES[options.size or "usual"]
    growth = options.growth if options.growth is not None else growth
    with tempfile.TemporaryDirectory() as folder:
        bench = _Bench(Path(folder), options.rounds)
        _show("Commands", bench.rows(traces))
        if options.run is not None:
            _show("A run's own spans", bench.rows_of_run(options.run, traces))
        _show("Parquet, by DuckDB", bench.rows_of_parquet(in_parquet))
        before = ["--before", str(bench.before)] if bench.before is not None else []
        small = ["--traces", str(traces), "--rounds", str(options.rounds)]
        parts = (
            ("ClickHouse", "in_database.py", ["--spans", str(in_clickhouse), *before]),
            ("Reading", "loading.py", small),
            ("Ledger", "ledger_speed.py", small),
            ("Critical path", "critical_path.py", small),
        )
        failed = [title for title, file, more in parts if not _part(title, file, *more)]
        points = list(_grown(bench, growth))
        if options.plot is not None:
            options.plot.write_text(_plot(points))
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _show(title: str, rows: Iterator[Row | str]) -> None:
    print(f"\n{title}\n{'-' * len(title)}", flush=True)
    for row in rows:
        print(row, flush=True)


def _part(title: str, file: str, *more: str) -> bool:
    """Whether another benchmark, in a process of its own, came to its end."""
    _show(title, iter(()))
    return (
        subprocess.run([sys.executable, str(Path(__file__).with_name(file)), *more], check=False).returncode
        == 0
    )


def _grown(bench: _Bench, sizes: Sequence[int]) -> Iterator[Point]:
    _show(
        "Growth",
        iter(
            (f"{'spans':>10} {'from':<10} {'seconds':>9} {'µs a span':>10} {'MB':>7} {'bytes a span':>13}",)
        ),
    )
    for traces in sizes:
        for point in bench.growth(traces):
            print(point, flush=True)
            yield point


def _plot(points: Sequence[Point]) -> str:
    """Microseconds a span by the number of spans, both on logarithmic axes: level where time is linear."""
    places = [(math.log10(point.spans), math.log10(point.micros)) for point in points]
    left, bottom = (math.floor(min(axis)) for axis in zip(*places, strict=True))
    right, top = (math.floor(max(axis)) + 1 for axis in zip(*places, strict=True))

    def at(x: float, y: float) -> str:
        return f"{60 + 500 * (x - left) / (right - left):.1f},{280 - 250 * (y - bottom) / (top - bottom):.1f}"

    drawn = [
        f'<text x="{at(x, bottom).split(",")[0]}" y="300" text-anchor="middle">{10**x:,}</text>'
        for x in range(left, right + 1)
    ]
    for y in range(bottom, top + 1):
        drawn.append(f'<polyline points="{at(left, y)} {at(right, y)}" stroke="#ccc"/>')
        drawn.append(
            f'<text x="52" y="{float(at(left, y).split(",")[1]) + 4:.1f}" text-anchor="end">{10.0**y:g}</text>'
        )
    for color, source in zip(
        ("#1f5fa8", "#c05a00"), sorted({point.source for point in points}), strict=False
    ):
        line = [at(*place) for place, point in zip(places, points, strict=True) if point.source == source]
        drawn.append(f'<polyline points="{" ".join(line)}" fill="none" stroke="{color}" stroke-width="2"/>')
        last_x, last_y = line[-1].split(",")
        drawn.append(
            f'<text x="{last_x}" y="{float(last_y) - 8:.1f}" text-anchor="end" fill="{color}">{source}</text>'
        )
    title = '<text x="60" y="18">µs a span, by the number of spans</text>'
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 310" font-family="sans-serif" font-size="12">'
    return f"{head}{title}{''.join(drawn)}</svg>\n"


@dataclass(frozen=True, slots=True)
class Point:
    """A report of so many spans: seconds (processor time of one process, wall time of DuckDB's threads), memory."""

    source: str
    spans: int
    seconds: float
    peak_bytes: int

    @property
    def micros(self) -> float:
        return self.seconds / self.spans * 1e6

    def __str__(self) -> str:
        figures = f"{self.spans:>10,} {self.source:<10} {self.seconds:>9.2f} {self.micros:>10.2f}"
        bar = "█" * min(round(self.micros / _MICROS_A_BLOCK), _LONGEST_BAR)
        return f"{figures} {self.peak_bytes / 1e6:>7.0f} {self.peak_bytes / self.spans:>13.0f} {bar}"


class _Bench:
    """Runs commands over files in one folder; every file is made once."""

    def __init__(self, folder: Path, rounds: int) -> None:
        self._folder, self._rounds = folder, rounds
        self.before, self.why_none = _before()
        self._spans: dict[int, int] = {}
        self._in_parquet: dict[int, int] = {}
        self._compile()

    def _compile(self) -> None:
        """Run each version once, so that what is measured finds its bytecode."""
        self._report(self._file(5))
        if self.before is not None:
            self._report(self._file(5), before=True)

    def rows(self, traces: int) -> Iterator[Row | str]:
        file = self._file(traces)
        now = self._report(file)
        yield f"{self._spans[traces]:,} spans, {traces:,} queries: text in {now.processor_s:.2f} s of processor time"
        if self.before is None:
            yield f"before: not measured, for {self.why_none}"
        else:
            before = self._report(file, before=True)
            ratio = before.processor_s / now.processor_s
            yield Row("report, one process, times as fast as before", ratio, 6, at_least=True)
        yield Row("JSON, times the text", self._report(file, "json").processor_s / now.processor_s, 1.3)
        decoded = self._least([sys.executable, "-c", _DECODE, str(_REPOSITORY / "benchmarks"), str(file)])
        duckdb = self._least([sys.executable, "-c", _DUCKDB, str(file)])
        yield (
            f"peers: msgspec decodes it in {decoded.processor_s:.2f} s of processor time, DuckDB reads it as JSON in "
            f"{duckdb.processor_s:.2f} s"
        )
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
        if self.before is not None:
            ratio = self._report(file, before=True).processor_s / now.processor_s
            yield Row("report of a run's own spans, times as fast", ratio, 6, at_least=True)

    def rows_of_parquet(self, spans: int) -> Iterator[Row | str]:
        """The queries of a file of about so many spans, by day."""
        file = self._parquet(spans)
        cost = self._least([*_program(), "report", str(file), "--in-database", "--by", "day"])
        yield f"{self._in_parquet[spans]:,} spans, --in-database --by day: {cost.wall_s:.2f} s, {cost.processor_s:.2f} s of processor time"  # noqa: E501
        yield Row(
            "spans a second, millions", self._in_parquet[spans] / cost.wall_s / 1e6, 1, "M/s", at_least=True
        )
        yield Row("memory, GB", cost.peak_bytes / 1e9, 2, "GB")
        polars = self._least([sys.executable, "-c", _POLARS, str(file)])
        yield f"peer: Polars reads it and sums its durations by day in {polars.wall_s:.2f} s"

    def growth(self, traces: int) -> Iterator[Point]:
        """A report from JSON lines and one from Parquet, of about as many spans."""
        cost = self._report(self._file(traces))
        spans = self._spans[traces]
        yield Point("JSON lines", spans, cost.processor_s, cost.peak_bytes)
        file = self._parquet(spans)
        cost = self._least([*_program(), "report", str(file), "--in-database", "--by", "day"])
        yield Point("Parquet", self._in_parquet[spans], cost.wall_s, cost.peak_bytes)

    def _parquet(self, spans: int) -> Path:
        """A file with the columns of the Collector's ClickHouse exporter; its traces are copies of 44 queries."""
        path = self._folder / f"{spans}.parquet"
        if not path.exists():
            made = subprocess.run(
                [
                    sys.executable,
                    "-c",
                    _PARQUET,
                    str(_REPOSITORY / "tests" / "support"),
                    str(path),
                    str(spans),
                ],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._in_parquet[spans] = int(made.stdout)
        return path

    def _few(self) -> Iterator[Row]:
        file = self._file(5)
        if self.before is not None:
            ratio = self._report(file).processor_s / self._report(file, before=True).processor_s
            yield Row("a run of five queries, times before", ratio, 1)

    def _compared(self, traces: int) -> Row:
        sides = [self._file(traces, seed) for seed in (1, 2)]
        reports = sum(self._report(side).processor_s for side in sides)
        compared = self._least([*_program(), "compare", *map(str, sides)], PUNIE_PROCESSES="1")
        return Row("compare, times the reports of both sides", compared.processor_s / reports, 1.2)

    def _report(self, file: Path, how: str = "text", *, processes: int = 1, before: bool = False) -> Cost:
        python = str(self.before) if before else sys.executable
        command = [python, "-m", "punie.trace", "report", str(file), "--format", how]
        return self._least(command, PUNIE_PROCESSES=str(processes))

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


def _before() -> tuple[Path | None, str]:
    """The Python that has the earlier version, or why there is none."""
    try:
        return python_of(BEFORE), ""
    except NotBuiltError as error:
        return None, str(error)


def _program() -> list[str]:
    return [sys.executable, "-m", "punie.trace"]


_MEASURED: Final = """
import os, sys, time
begun = time.perf_counter()
process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(process, 0)
wall_s = time.perf_counter() - begun
print(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, wall_s, used.ru_maxrss, file=sys.stderr)
"""


def _run(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """What a command takes, started by a small process: Linux counts the memory of who started it as its own."""
    inherited = {name: value for name, value in os.environ.items() if name != _COMPILED}
    measured = subprocess.run(
        [sys.executable, "-S", "-c", _MEASURED, *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**inherited, **environment},
        text=True,
        check=True,
    )
    code, processor_s, wall_s, peak = measured.stderr.split()[-4:]
    if code != "0":
        raise SystemExit(f"{' '.join(command)}: ended with {code}: {measured.stderr}")
    return Cost(float(processor_s), float(wall_s), int(peak) * (1 if sys.platform == "darwin" else 1024))


if __name__ == "__main__":
    sys.exit(main())
