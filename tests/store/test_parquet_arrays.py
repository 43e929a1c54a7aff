"""Parquet as arrays gives the critical path that the walk finds, whatever the ids' form; broken traces are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from spans_generator import generate, write_parquet

from punie.trace.analysis.path.critical_path import critical_path
from punie.trace.analysis.path.critical_path_arrays import path_ns
from punie.trace.analysis.trees.windows import clip
from punie.trace.errors import InputError
from punie.trace.store.parquet.arrays import SpanArrays, read_arrays

TRACE = "0123456789abcdef0123456789abcdef"


def put(path: Path, rows: list[tuple[str | None, ...]], traces: list[str] | None = None) -> Path:
    """Spans of one trace, or of `traces`: id and parent, each within its parent."""
    frame = pl.DataFrame(
        {
            "trace_id": traces or [TRACE] * len(rows),
            "span_id": [row[0] for row in rows],
            "parent_id": [row[1] for row in rows],
            "name": ["n"] * len(rows),
            "start_ns": list(range(len(rows))),
            "end_ns": [100 - place for place in range(len(rows))],
        },
        schema_overrides={"parent_id": pl.String},
    )
    frame.write_parquet(path)
    return path


def walked(spans: SpanArrays) -> list[int]:
    """What the walk gives each span; it wants parents first, and the file has them last."""
    last = len(spans) - 1
    parents = [-1 if parent < 0 else last - parent for parent in spans.parents[::-1].tolist()]
    found = [0] * len(spans)
    for one in critical_path(clip(parents, spans.starts_ns[::-1].tolist(), spans.ends_ns[::-1].tolist())):
        found[last - one.span] += one.end_ns - one.start_ns
    return found


def test_every_generated_trace_has_the_walks_path_and_tiles_its_root(tmp_path: Path) -> None:
    made = generate(300)
    write_parquet(made, tmp_path / "spans.parquet")
    spans = read_arrays(tmp_path / "spans.parquet")
    assert np.array_equal(spans.parents, made.parent_row)
    assert np.array_equal(spans.starts_ns, made.start_ns)
    assert np.array_equal(spans.ends_ns, made.end_ns)
    found = path_ns(spans.parents, spans.starts_ns, spans.ends_ns)
    assert found.tolist() == walked(spans)
    of_trace = np.zeros(300, dtype=np.int64)
    np.add.at(of_trace, made.trace, found)
    roots = np.flatnonzero(made.parent_row < 0)
    walls = made.end_ns[roots] - made.start_ns[roots]
    assert np.array_equal(of_trace[made.trace[roots]], walls)


@pytest.mark.parametrize("root", [None, "", "0000000000000000"])
def test_a_root_has_no_parent(tmp_path: Path, root: str | None) -> None:
    spans = read_arrays(
        put(tmp_path / "a.parquet", [("00000000000000aa", root), ("b" * 16, "00000000000000aa")])
    )
    assert spans.parents.tolist() == [-1, 0]


def test_ids_in_capitals_are_the_same_ids(tmp_path: Path) -> None:
    spans = read_arrays(put(tmp_path / "a.parquet", [("AA" * 8, None), ("b" * 16, "aa" * 8)]))
    assert spans.parents.tolist() == [-1, 0]


def test_ids_of_any_form_are_joined(tmp_path: Path) -> None:
    odd = ["12_3456789012345", "no-hexadecimal-!", "a", "000000000000000a"]
    spans = read_arrays(put(tmp_path / "a.parquet", [(odd[0], None), *zip(odd[1:], odd, strict=False)]))
    assert spans.parents.tolist() == [-1, 0, 1, 2]


def test_an_id_is_of_its_trace_alone(tmp_path: Path) -> None:
    rows: list[tuple[str | None, ...]] = [("a" * 16, None), ("b" * 16, "a" * 16)] * 2
    spans = read_arrays(put(tmp_path / "a.parquet", rows, [TRACE, TRACE, "f" * 32, "f" * 32]))
    assert spans.parents.tolist() == [-1, 0, -1, 2]


def test_a_parent_in_another_trace_is_lost(tmp_path: Path) -> None:
    file = put(tmp_path / "a.parquet", [("a" * 16, None), ("b" * 16, "a" * 16)], [TRACE, "f" * 32])
    with pytest.raises(InputError, match="1 spans have lost their parent"):
        read_arrays(file)


def test_a_span_without_a_time_is_refused(tmp_path: Path) -> None:
    pl.DataFrame(
        {
            "trace_id": [TRACE],
            "span_id": ["a" * 16],
            "parent_id": [""],
            "name": ["n"],
            "start_ns": [1],
            "end_ns": pl.Series([None], dtype=pl.Int64),
        }
    ).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="a span has no end"):
        read_arrays(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([("a" * 16, None), ("b" * 16, "c" * 16)], "1 spans have lost their parent"),
        ([("a" * 16, None), ("a" * 16, None), ("b" * 16, "a" * 16)], "spans stand in it more than once"),
    ],
)
def test_traces_that_need_mending_are_refused(
    tmp_path: Path, rows: list[tuple[str | None, ...]], why: str
) -> None:
    with pytest.raises(InputError, match=why):
        read_arrays(put(tmp_path / "a.parquet", rows))


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(InputError, match="damaged Parquet"):
        read_arrays(tmp_path / "a.parquet")
