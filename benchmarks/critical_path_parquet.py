"""The critical path of spans in Parquet, with reading, beside its peers: `python benchmarks/critical_path_parquet.py`.

About a million made-up spans (`spans_generator.py`). Every way starts from the same file, in turn, and the best of
several rounds counts, in processor time (on a busy machine only that compares):

| way | reads with | then |
| --- | --- | --- |
| arrays | DuckDB, to numpy (`store/parquet/arrays.py`) | `analysis/path/critical_path_arrays.py` |
| walk | the same | the product's walk over lists (`analysis/path/critical_path.py`) |
| jaeger | Polars, rows grouped by trace | Jaeger's algorithm in plain Python |
| crisp | as jaeger | CRISP's rule in plain Python, recursive: the last child to return, then the last before it began |

Both peers are the rule alone, written anew from its description, without the objects and reports around it: CRISP
itself is slower. All spans of the arrays are held against the walk, and the peers against a path made by definition.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from critical_path import JAEGER_DEPTH, defined_path, jaeger_path
from spans_generator import TRACES, generate, write_parquet

from punie.trace.analysis.path.critical_path import path_columns
from punie.trace.analysis.path.critical_path_arrays import path_ns
from punie.trace.analysis.trees.windows import Windows
from punie.trace.store.parquet.arrays import SpanArrays, read_arrays

Integers = npt.NDArray[np.int64]
Row = tuple[str, str | None, int, int]  # id, parent's id, start, end
Sections = list[tuple[str, int, int]]
_COLUMNS: Final = ("trace_id", "span_id", "parent_id", "start_ns", "end_ns")
AIM: Final = 6.0
CHECKED: Final = 2_000  # traces whose path is also made by the definition, which is slow


def main(arguments: Sequence[str] | None = None) -> int:
    """Print spans a second, the ratio to Jaeger's, and which paths are exact."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--traces", type=int, default=TRACES)
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args(arguments)
    sys.setrecursionlimit(JAEGER_DEPTH)  # for the peers alone
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spans.parquet"
        write_parquet(generate(options.traces), file)
        ways: dict[str, Callable[[], object]] = {
            "arrays": lambda: _by_arrays(file),
            "walk": lambda: _by_walk(read_arrays(file)),
            "jaeger": lambda: [jaeger_path(rows) for rows in _grouped(file)],
            "crisp": lambda: [crisp_path(rows) for rows in _grouped(file)],
        }
        seconds = _best(ways, options.rounds)
        spans = len(read_arrays(file))
        print(f"{spans} spans, {options.traces} traces, with reading, processor time")
        for name, took in seconds.items():
            print(f"{name:<7} {spans / took / 1e6:5.2f} M spans/s  {seconds['jaeger'] / took:5.1f} x jaeger")
        _check(file)
    ratio = seconds["jaeger"] / seconds["arrays"]
    print(f"aim: at least {AIM:.0f} x jaeger: {'met' if ratio >= AIM else 'NOT met'} ({ratio:.1f})")
    return 0


def _by_arrays(file: Path) -> Integers:
    spans = read_arrays(file)
    return path_ns(spans.parents, spans.starts_ns, spans.ends_ns)


def _by_walk(spans: SpanArrays) -> list[int]:
    """Nanoseconds of each span. The generator's spans lie inside their parents, so nothing has to be cut first."""
    columns = (spans.parents, spans.starts_ns, spans.ends_ns)
    found = [0] * len(spans)
    for span, start, end in zip(*path_columns(Windows(*(c.tolist() for c in columns))), strict=True):
        found[span] += end - start
    return found


def _grouped(file: Path) -> list[list[Row]]:
    """The rows of each trace, the root first."""
    import polars as pl

    traces: dict[str, list[Row]] = {}
    for trace, span, parent, start, end in pl.read_parquet(file, columns=list(_COLUMNS)).iter_rows():
        traces.setdefault(trace, []).append((span, parent, start, end))
    for rows in traces.values():
        rows.reverse()  # written as they end: the root is the last
    return list(traces.values())


def crisp_path(rows: Sequence[Row]) -> Sections:
    """CRISP's critical path: the last child that ended, then the last that had ended before that one began."""
    children: dict[str | None, list[Row]] = {}
    for row in rows:
        children.setdefault(row[1], []).append(row)
    sections: Sections = []

    def visit(row: Row) -> None:
        begin, cursor = row[2], row[3]
        for child in sorted(children.get(row[0], ()), key=lambda one: one[3], reverse=True):
            if child[3] > cursor:
                continue
            if child[3] < cursor:
                sections.append((row[0], child[3], cursor))
            visit(child)
            cursor = child[2]
        if begin < cursor:
            sections.append((row[0], begin, cursor))

    visit(rows[0])
    return sections


def _best(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            begun = time.process_time()
            way()
            best[name] = min(best[name], time.process_time() - begun)
    return best


def _check(file: Path) -> None:
    spans = read_arrays(file)
    found = path_ns(spans.parents, spans.starts_ns, spans.ends_ns)
    same = int(np.count_nonzero(found == np.array(_by_walk(spans))))
    tiled = int(found.sum()) == int((spans.ends_ns - spans.starts_ns)[spans.parents < 0].sum())
    print(
        f"arrays: {same} of {len(spans)} spans as the walk has them; the walls {'' if tiled else 'NOT '}tiled"
    )
    if same < len(spans) or not tiled:
        raise SystemExit("the arrays are wrong")
    sample = _grouped(file)[:CHECKED]
    for name, way in (("jaeger", jaeger_path), ("crisp", crisp_path)):
        exact = sum(sorted(way(rows), key=_start) == defined_path(rows) for rows in sample)
        print(f"{name}: the path of {exact} of {len(sample)} traces is the one that is defined")


def _start(section: tuple[str, int, int]) -> int:
    return section[1]


if __name__ == "__main__":
    sys.exit(main())
