"""What `report --in-database` costs ClickHouse: time and memory by the number of spans, in its engine (`chdb`).

44 made-up queries as a run writes them are copied with new trace ids until a table of the Collector's columns has as
many spans as asked for. Each measurement is one statement in a process of its own; memory is that process's peak less
what it had before. Beside the statement as it is sent stands the same one without waiting on the disk: what bringing a
table's spans together takes if all of it stays in memory. `--before PYTHON` asks one
engine over HTTP by the command `report … --in-database`, of this version and of the earlier one that the other Python
has installed, in turn.

    python benchmarks/in_database.py [--spans 500000,2000000,6000000] [--by day]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, cast

from punie.trace.analysis.summary.parts import GroupBy
from punie.trace.store.clickhouse.in_database import SETTINGS
from punie.trace.store.clickhouse.tables import EXPORTER
from punie.trace.store.clickhouse.texts import report_sql, shard_sql

AIM: Final = 2  # times as fast as the earlier version
_ROUNDS: Final = 3
SPANS: Final = "500000,2000000,6000000"
_SUPPORT: Final = Path(__file__).parents[1] / "tests" / "support"
_COPY: Final = """
INSERT INTO {into}.otel_traces
SELECT * EXCEPT (n) REPLACE (lower(hex(MD5(concat(TraceId, toString(n))))) AS TraceId,
  Timestamp + toIntervalSecond(n * 10) AS Timestamp)
FROM (SELECT t.*, numbers.number AS n FROM seed.otel_traces AS t CROSS JOIN numbers({copies}) AS numbers)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill one table a size and measure each, with and without the disk."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spans", default=SPANS, help="sizes, comma-separated (default: %(default)s)")
    parser.add_argument(
        "--before", metavar="PYTHON", help="a Python that has an earlier version, to run beside this one"
    )
    parser.add_argument("--by", choices=[by.value for by in GroupBy], help="as `report --by`")
    parser.add_argument("--measure", nargs=3, metavar=("FOLDER", "DATABASE", "DISK"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    by = GroupBy(options.by) if options.by else None
    if options.measure:
        folder, database, disk = options.measure
        print(_measured(folder, database, by, with_disk=disk == "disk"), flush=True)
        return 0
    sizes = [int(size) for size in options.spans.split(",")]
    with tempfile.TemporaryDirectory(prefix="punie-in-database-") as folder:
        _in_a_process("--measure", folder, "fill", options.spans)
        print(f"{'spans':>12} {'waits on disk':>14} {'s':>7} {'spans/s':>10} {'peak MB':>8}")
        for size in sizes:
            for disk in ("disk", "memory"):
                more = ["--by", by.value] if by else []
                found = _in_a_process("--measure", folder, f"of_{size}", disk, *more)
                seconds, peak = (float(word) for word in found.split())
                word = "yes" if disk == "disk" else "no"
                print(
                    f"{size:>12,} {word:>14} {seconds:>7.1f} {size / seconds:>10,.0f} {peak:>8.0f}",
                    flush=True,
                )
        if options.before:
            for line in _beside(folder, sizes, options.before):
                print(line, flush=True)
    return 0


def _in_a_process(*arguments: str) -> str:
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _beside(folder: str, sizes: Sequence[int], before: str) -> Iterator[str]:
    """`report --in-database` of both versions, as commands that ask one engine over HTTP, in turn; the least counts."""
    command = [sys.executable, __file__, "--measure", folder, "serve", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as front:
        port = front.stdout.readline().strip() if front.stdout else ""
        for size in sizes:
            url = f"clickhouse://reader@127.0.0.1:{port}/of_{size}"
            took = dict.fromkeys((sys.executable, before), float("inf"))
            for _ in range(_ROUNDS):
                for python in took:
                    took[python] = min(took[python], _asked(url, python))
            times = took[before] / took[sys.executable]
            met = "met" if times >= AIM else "NOT met"
            yield (
                f"{size:>12,} spans, the command: {took[sys.executable]:.1f} s, {times:.2f} times as fast as before, "
                f"at least {AIM:g} {met}"
            )
        front.communicate()


def _asked(url: str, python: str) -> float:
    sys.path.insert(0, str(_SUPPORT))
    from clickhouse_front import PASSWORD

    command = [python, "-m", "punie.trace", "report", url, "--in-database"]
    started = time.perf_counter()
    environment = {**os.environ, "CLICKHOUSE_PASSWORD": PASSWORD}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - started


def _serve(engine: Any) -> None:  # noqa: ANN401 - chdb has no types
    """The engine over HTTP, until standard input ends."""
    sys.path.insert(0, str(_SUPPORT))
    import clickhouse_front

    vars(clickhouse_front)["session"] = lambda: engine
    with clickhouse_front.clickhouse_front() as port:
        print(port, flush=True)
        sys.stdin.read()


def _measured(folder: str, database: str, by: GroupBy | None, *, with_disk: bool) -> str:
    from chdb import session

    engine = cast("Any", session).Session(f"{folder}/engine")
    if database == "fill":
        _fill(engine, [int(size) for size in sys.argv[-1].split(",")])
        return ""
    if database == "serve":
        _serve(engine)
        return ""
    rows = f"SELECT {EXPORTER.exporter_columns} FROM {database}.otel_traces"  # noqa: S608 - our own name
    sql = report_sql(f"({shard_sql(rows, (), by)})", by)
    settings = dict(SETTINGS)
    if not with_disk:
        settings |= {"max_bytes_before_external_group_by": 0, "max_bytes_ratio_before_external_group_by": 0}
    before = _memory_mb("VmRSS")
    started = time.perf_counter()
    engine.query(f"{sql}\nSETTINGS {', '.join(f'{name} = {value}' for name, value in settings.items())}")
    return f"{time.perf_counter() - started} {_memory_mb('VmHWM') - before}"


def _fill(engine: Any, sizes: Sequence[int]) -> None:  # noqa: ANN401 - chdb has no types
    sys.path.insert(0, str(_SUPPORT))
    import clickhouse_tables
    import query_trees

    vars(clickhouse_tables)["session"] = lambda: (
        engine
    )  # one engine a process, and this one stays on the disk
    spans = query_trees.forty_queries(query_trees.seeded(3))
    rows = map(clickhouse_tables.exporter_row, spans)
    clickhouse_tables.make_database("seed", clickhouse_tables.OTEL_TRACES, rows, "otel_traces")
    for size in sizes:
        clickhouse_tables.make_database(f"of_{size}", clickhouse_tables.OTEL_TRACES, (), "otel_traces")
        engine.query(_COPY.format(into=f"of_{size}", copies=-(-size // len(spans))))


def _memory_mb(name: str) -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1_000


if __name__ == "__main__":
    sys.exit(main())
