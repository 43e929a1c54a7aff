"""How fast the ledger is, beside its peers: `python benchmarks/ledger_speed.py`.

About a million made-up spans (`spans_generator.py`), in memory, with whole numbers as keys. All ways run in turn, and
the best of several rounds counts, in seconds and in seconds of processor time (on a busy machine only that compares):

| way | gives |
| --- | --- |
| duckdb | the ledger by `analysis/ledger/ledger.sql`: eleven phases, contested time, provenance, duplicates dropped |
| polars | the same in Polars' own words: a self join, running sums over one sorted table, no packing |
| five classes | a text of five running sums, one a group: no contested time, no provenance, no duplicates, no window |
| python | eleven phases alone, as a plain loop over the sorted ends of each query |
| sqlite | as duckdb, with `--sqlite` (slow) |
| clickhouse | as duckdb, in its in-process engine, loading the rows included, with `--clickhouse` |
| arrays | the ledger's form for a cluster, likewise |

What has the same result is compared, to the nanosecond, before anything is printed.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import duckdb
import polars as pl
from spans_generator import TRACES, Spans, generate

from punie.trace.analysis.ledger.ledger import ledger_sql
from punie.trace.model import PHASE_GROUP, PHASES, Group

Row = tuple[int | None, ...]
AIMS: Final = {"five classes": 0.5, "polars": 1.0}  # how fast the ledger on DuckDB is to be beside them
_GROUPS: Final = tuple(Group)
_GROUP_OF: Final = [_GROUPS.index(PHASE_GROUP[phase]) for phase in PHASES]
FIVE_CLASSES: Final = """
WITH ends AS (
  SELECT query_key, start_ns AS t, phase_rank, 1 AS step FROM spans
  UNION ALL SELECT query_key, end_ns AS t, phase_rank, -1 AS step FROM spans
),
steps AS (
  SELECT query_key, t,
    CAST(sum(CASE WHEN phase_rank IN (0, 1, 2) THEN step ELSE 0 END) AS BIGINT) AS a,
    CAST(sum(CASE WHEN phase_rank IN (3, 4, 6) THEN step ELSE 0 END) AS BIGINT) AS b,
    CAST(sum(CASE WHEN phase_rank IN (7, 8) THEN step ELSE 0 END) AS BIGINT) AS c,
    CAST(sum(CASE WHEN phase_rank = 9 THEN step ELSE 0 END) AS BIGINT) AS d,
    CAST(sum(CASE WHEN phase_rank IN (5, 10) THEN step ELSE 0 END) AS BIGINT) AS e
  FROM ends GROUP BY query_key, t
),
counts AS (
  SELECT query_key, lead(t) OVER (PARTITION BY query_key ORDER BY t) - t AS ns,
    sum(a) OVER o AS a, sum(b) OVER o AS b, sum(c) OVER o AS c, sum(d) OVER o AS d, sum(e) OVER o AS e
  FROM steps
  WINDOW o AS (PARTITION BY query_key ORDER BY t ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
SELECT query_key, CASE WHEN a > 0 THEN 0 WHEN b > 0 THEN 1 WHEN c > 0 THEN 2 WHEN d > 0 THEN 3 ELSE 4 END AS class,
  CAST(sum(ns) AS BIGINT) AS ns
FROM counts WHERE ns > 0 GROUP BY 1, 2
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--traces", type=int, default=TRACES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sqlite", action="store_true")
    parser.add_argument("--clickhouse", action="store_true")
    options = parser.parse_args(arguments)
    spans = generate(options.traces, options.seed)
    frame = table(spans)
    ways = _ways(frame, sqlite=options.sqlite, clickhouse=options.clickhouse)
    results, seconds = _best(ways, options.rounds)
    _compare(results)
    print(f"{len(spans)} spans, {options.traces} traces; the ledgers agree to the nanosecond")
    five, polars = seconds["five classes"][1], seconds["polars"][1]
    for name, (wall, processor) in seconds.items():
        print(
            f"{name:<13} {wall:6.3f} s  {len(spans) / wall / 1e6:5.2f} M spans/s  processor {processor:6.3f} s  "
            f"five classes {five / processor:5.2f} x  polars {polars / processor:5.2f} x"
        )
    for name, aim in AIMS.items():
        ratio = seconds[name][1] / seconds["duckdb"][1]
        print(f"aim: duckdb at least {aim} x {name}: {'met' if ratio >= aim else 'NOT met'} ({ratio:.2f})")
    return 0


def _compare(results: dict[str, Any]) -> None:
    found = {name: _rows(result) for name, result in results.items() if name != "five classes"}
    ledger = sorted(row[:7] for row in found.pop("duckdb"))
    if [(row[0], row[3], row[4]) for row in ledger] != sorted(found.pop("python")):
        raise SystemExit("the plain loop finds other nanoseconds")
    for name, rows in found.items():
        if sorted(row[:7] for row in rows) != ledger:
            raise SystemExit(f"{name} finds another ledger")


def _rows(result: Any) -> list[Any]:  # noqa: ANN401 # a table of DuckDB's or Polars', or a list
    if isinstance(result, list):
        return result
    rows: list[Any] = result.rows() if isinstance(result, pl.DataFrame) else result.fetchall()
    return rows


def table(spans: Spans) -> pl.DataFrame:
    """The relation that the ledger's text reads."""
    return pl.DataFrame(
        {
            "query_key": spans.trace,
            "span_id": spans.span,
            "parent_id": pl.Series(spans.parent).replace(0, None),
            "start_ns": spans.start_ns,
            "end_ns": spans.end_ns,
            "phase_rank": spans.phase_rank,
            "provenance_rank": spans.provenance_rank,
            "is_root": (spans.parent == 0).astype("int64"),
        }
    )


def _ways(frame: pl.DataFrame, *, sqlite: bool, clickhouse: bool) -> dict[str, Callable[[], Any]]:
    connection = duckdb.connect()
    connection.register("frame", frame.to_arrow())
    connection.execute("CREATE TABLE spans AS SELECT * FROM frame")
    rows = frame.rows()
    ways: dict[str, Callable[[], Any]] = {
        "duckdb": lambda: _kept(connection, "kept", ledger_sql()),
        "five classes": lambda: _kept(connection, "five", FIVE_CLASSES),
        "polars": lambda: polars_ledger(frame),
        "python": lambda: plain_loop(rows),
    }
    if sqlite:
        database = sqlite3.connect(":memory:")
        database.execute(f"CREATE TABLE spans ({', '.join(frame.columns)})")
        database.executemany("INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        ways["sqlite"] = lambda: database.execute(ledger_sql()).fetchall()
    if clickhouse:
        sys.path.insert(0, "tests/support")
        from chdb_engine import ChdbArrays, ChdbEngine

        ways["clickhouse"] = lambda: list(ChdbEngine().run(ledger_sql(), rows))
        ways["arrays"] = lambda: list(ChdbArrays().run(ledger_sql(), rows))
    return ways


def _kept(connection: duckdb.DuckDBPyConnection, name: str, sql: str) -> duckdb.DuckDBPyRelation:
    """The result as a table of the engine: turning its rows into Python's costs as much as finding them."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {sql}")
    return connection.table(name)


def _best(
    ways: dict[str, Callable[[], Any]], rounds: int
) -> tuple[dict[str, Any], dict[str, tuple[float, float]]]:
    results: dict[str, Any] = {}
    best = dict.fromkeys(ways, (float("inf"), float("inf")))
    for _ in range(rounds):
        for name, way in ways.items():
            wall, processor = time.perf_counter(), time.process_time()
            results[name] = way()
            took = (time.perf_counter() - wall, time.process_time() - processor)
            best[name] = (min(best[name][0], took[0]), min(best[name][1], took[1]))
    return results, best


def polars_ledger(frame: pl.DataFrame) -> pl.DataFrame:
    """The whole ledger with Polars: every query's counts end at 0, so that one running sum serves them all."""
    roots = frame.lazy().filter(pl.col("is_root") == 1).select("query_key", low="start_ns", high="end_ns")
    alive = (
        frame.lazy()
        .unique(["query_key", "span_id"], keep="any")
        .join(roots, on="query_key")
        .with_columns(
            start_ns=pl.max_horizontal("start_ns", "low"), end_ns=pl.min_horizontal("end_ns", "high")
        )
        .filter(pl.col("end_ns") > pl.col("start_ns"))
        .collect()
        .lazy()
    )
    parents = alive.select(
        "query_key", parent_id="span_id", parent_rank="phase_rank", low_ns="start_ns", high_ns="end_ns"
    )
    parts = (
        alive.join(parents, on=["query_key", "parent_id"])
        .sort("parent_id", "start_ns")
        .with_columns(covered=pl.col("end_ns").cum_max().shift(1).over("parent_id"))
        .select(
            "query_key",
            rank="parent_rank",
            begin=pl.max_horizontal("start_ns", "low_ns", "covered"),
            end=pl.min_horizontal("end_ns", "high_ns"),
        )
        .filter(pl.col("end") > pl.col("begin"))
        .collect()
        .lazy()
    )
    own, one = {"rank": "phase_rank"}, pl.lit(1, pl.Int32)
    none = pl.lit(0, pl.Int32)
    ends = pl.concat(
        [
            alive.select("query_key", t="start_ns", **own, opened=one, leaves=one),
            alive.select("query_key", t="end_ns", **own, opened=-one, leaves=-one),
            parts.select("query_key", "rank", t="begin", opened=none, leaves=-one).select(
                "query_key", "t", "rank", "opened", "leaves"
            ),
            parts.select("query_key", "rank", t="end", opened=none, leaves=one).select(
                "query_key", "t", "rank", "opened", "leaves"
            ),
        ]
    ).sort("query_key", "t")
    counts = ends.select(
        "query_key",
        ns=pl.col("t").shift(-1) - pl.col("t"),
        same=pl.col("query_key").shift(-1) == pl.col("query_key"),
        **{
            f"p{rank}": pl.when(pl.col("rank") == rank).then("opened").otherwise(0).cum_sum()
            for rank in range(10)
        },
        **{
            f"g{group}": pl.when(pl.col("rank").is_in([r for r, g in enumerate(_GROUP_OF) if g == group]))
            .then("leaves")
            .otherwise(0)
            .cum_sum()
            for group in range(len(_GROUPS))
        },
    ).filter(pl.col("same") & (pl.col("ns") > 0))
    owner = pl.coalesce(*(pl.when(pl.col(f"p{rank}") > 0).then(rank) for rank in range(10)), pl.lit(10))
    owned = counts.with_columns(phase_rank=owner.cast(pl.Int64))
    contested = pl.any_horizontal(
        *(
            (pl.col(f"g{group}") > 0)
            & ~pl.col("phase_rank").is_in([r for r, g in enumerate(_GROUP_OF) if g == group])
            for group in range(len(_GROUPS))
        )
    )
    shares = owned.group_by("query_key", "phase_rank").agg(
        ns=pl.col("ns").sum(), contested_ns=pl.when(contested).then("ns").otherwise(0).sum()
    )
    sources = alive.group_by("query_key", "phase_rank").agg(
        provenances=pl.sum_horizontal(
            *((pl.col("provenance_rank") == rank).any().cast(pl.Int64) * 2**rank for rank in range(5))
        )
    )
    return (
        roots.join(shares, on="query_key", how="left")
        .join(sources, on=["query_key", "phase_rank"], how="left")
        .select(
            "query_key",
            start_ns="low",
            wall_ns=pl.col("high") - pl.col("low"),
            phase_rank="phase_rank",
            ns="ns",
            contested_ns="contested_ns",
            provenances="provenances",
        )
        .collect()
    )


def plain_loop(rows: Sequence[Row]) -> list[tuple[int, int, int]]:
    """query, phase rank and ns: the phases alone."""
    by_query: dict[int, list[tuple[int, int, int]]] = {}
    for query, _, _, start, end, rank, _, _ in rows:
        ends = by_query.setdefault(query or 0, [])
        ends.append((start or 0, 1, rank or 0))
        ends.append((end or 0, -1, rank or 0))
    found = []
    for query, ends in by_query.items():
        ends.sort()
        opened, totals, last = [0] * len(PHASES), [0] * len(PHASES), ends[0][0]
        for t, step, rank in ends:
            if t > last:
                for owner, count in enumerate(opened):
                    if count:
                        totals[owner] += t - last
                        break
                last = t
            opened[rank] += step
        found += [(query, rank, ns) for rank, ns in enumerate(totals) if ns]
    return found


if __name__ == "__main__":
    sys.exit(main())
