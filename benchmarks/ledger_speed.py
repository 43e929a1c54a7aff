"""How fast the ledger is, beside its peers: `python benchmarks/ledger_speed.py`.

About 100,000 made-up spans (`spans_generator.py`), in memory. All ways run in turn, the best of several rounds counts,
in seconds and in seconds of processor time (on a busy machine only that compares):

| way | gives |
| --- | --- |
| sweep | the ledger as reports make it (`analysis/ledger/ledger.py`), from objects to objects |
| loop | eleven phases alone, as the plainest loop over the sorted ends of each query |
| polars | all of the ledger in Polars' own words, columns in and columns out |
| clickhouse | all of it by ClickHouse's text (its engine in this process, loading included), with `--clickhouse` |

What they find is compared, to the nanosecond, before anything is printed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import polars as pl
from spans_generator import SPAN_TYPES, Spans, generate

from punie.trace.analysis.ledger.ledger import compute_ledgers
from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.analysis.records import QueryLedger
from punie.trace.model import PHASE_GROUP, PHASES, Group

AIM: Final = 5.0  # how many times the plain loop, which gives less, the sweep may take
TRACES: Final = 5_208
_GROUPS: Final = tuple(Group)
_GROUP_OF: Final = [_GROUPS.index(PHASE_GROUP[phase]) for phase in PHASES]
Phases = list[tuple[int, int, int]]
"""Query, phase rank and nanoseconds, sorted: what every way finds."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--traces", type=int, default=TRACES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clickhouse", action="store_true")
    options = parser.parse_args(arguments)
    spans = generate(options.traces, options.seed)
    results, seconds = _best(_ways(spans, clickhouse=options.clickhouse), options.rounds)
    _compare(results)
    print(f"{len(spans)} spans, {options.traces} traces; all ways agree to the nanosecond")
    for name, (wall, processor) in seconds.items():
        each = processor / len(spans) * 1e6
        print(f"{name:<11} {wall:6.3f} s  processor {processor:6.3f} s  {each:5.2f} µs a span")
    ratio = seconds["sweep"][1] / seconds["loop"][1]
    print(
        f"aim: the sweep takes at most {AIM} x the loop: {'met' if ratio <= AIM else 'NOT met'} ({ratio:.2f})"
    )
    return 0


def _ways(spans: Spans, *, clickhouse: bool) -> dict[str, Callable[[], Any]]:
    frame, phased = table(spans), phased_spans(spans)
    ways: dict[str, Callable[[], Any]] = {
        "sweep": lambda: compute_ledgers(phased),
        "loop": lambda: plain_loop(phased),
        "polars": lambda: polars_ledger(frame),
    }
    if clickhouse:
        sys.path.insert(0, "tests/support")
        from chdb_engine import ledgers_of_clickhouse

        ways["clickhouse"] = lambda: ledgers_of_clickhouse(phased)
    return ways


def phased_spans(spans: Spans) -> list[PhasedSpan]:
    """The spans as the sweep reads them."""
    columns = (spans.trace, spans.span, spans.parent, spans.start_ns, spans.end_ns, spans.type)
    return [
        PhasedSpan(
            query_key=str(trace),
            trace_id=str(trace),
            span_id=str(span),
            parent_id=str(parent) if parent else None,
            start_ns=start_ns,
            end_ns=end_ns,
            phase=SPAN_TYPES[kind].phase,
            provenance=SPAN_TYPES[kind].provenance,
            is_root=not parent,
        )
        for trace, span, parent, start_ns, end_ns, kind in zip(*(c.tolist() for c in columns), strict=True)
    ]


def _compare(results: dict[str, Any]) -> None:
    sweep = results["sweep"]
    found: dict[str, Phases] = {
        "loop": sorted(results["loop"]),
        "polars": sorted(results["polars"].select("query_key", "phase_rank", "ns").rows()),
    }
    for name, phases in found.items():
        if phases != _phases(sweep):
            raise SystemExit(f"{name} finds other nanoseconds")
    if results.get("clickhouse", sweep) != sweep:
        raise SystemExit("clickhouse finds another ledger")


def _phases(ledgers: Sequence[QueryLedger]) -> Phases:
    return sorted(
        (int(one.query_key), rank, one.phases_ns[phase])
        for one in ledgers
        for rank, phase in enumerate(PHASES)
        if one.phases_ns[phase]
    )


def table(spans: Spans) -> pl.DataFrame:
    """The spans as Polars reads them."""
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


def plain_loop(spans: Sequence[PhasedSpan]) -> Phases:
    """The phases alone."""
    ranks = {phase: rank for rank, phase in enumerate(PHASES)}
    by_query: dict[str, list[tuple[int, int, int]]] = {}
    for span in spans:
        ends = by_query.setdefault(span.query_key, [])
        ends.append((span.start_ns, 1, ranks[span.phase]))
        ends.append((span.end_ns, -1, ranks[span.phase]))
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
        found += [(int(query), rank, ns) for rank, ns in enumerate(totals) if ns]
    return found


if __name__ == "__main__":
    sys.exit(main())
