"""Parquet of spans as numpy arrays, for kernels that take millions of them at once: no row becomes an object.

DuckDB (an extra) reads the columns; which ones, says `parquet_columns`. Ids come as its hashes of 64 bits and are
joined here (`parent_rows`). Two ids with one hash are noticed; what could go wrong is that a span whose parent is lost
finds another one of its trace by chance, once in 10^16 such spans where a trace has 1,000. Files in which anything is
odd, such as ids in capitals, are joined by DuckDB, as texts. Only whole traces are taken: a file with spans that lost
their parent, or whose parents stand in it twice, is refused, since mending it is the work of `report`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from punie.trace.errors import InputError
from punie.trace.store.parquet.columns import choose_columns
from punie.trace.store.parquet.parent_rows import parent_rows

Integers = npt.NDArray[np.int64]
_GLOB: Final = str.maketrans({char: f"[{char}]" for char in "*?["})
_IDS: Final = ("trace_id", "span_id", "parent_id")
_NO_PARENT: Final = "parent_id IS NULL OR translate(parent_id, '0', '') = ''"


@dataclass(frozen=True, slots=True)
class SpanArrays:
    """One entry a span, in the order of the file: its parent's place (-1 for a root), its start and its end."""

    parents: Integers
    starts_ns: Integers
    ends_ns: Integers

    def __len__(self) -> int:
        return len(self.parents)


def read_arrays(path: Path) -> SpanArrays:
    """The spans of one Parquet file; times are as written, not mended.

    Raises `InputError` if DuckDB isn't installed, can't read the file, a column is missing, or traces aren't whole.
    """
    try:
        import duckdb
    except ImportError as error:
        raise InputError(
            f"{path}: is Parquet, and DuckDB, which reads it, isn't installed",
            remedy="pip install 'punie-trace[duckdb]'",
        ) from error
    try:
        with duckdb.connect() as connection:
            return _read(connection, path)
    except duckdb.Error as error:
        raise InputError(f"{path}: damaged Parquet: {str(error).splitlines()[0]}") from error


def _read(connection: Any, path: Path) -> SpanArrays:  # noqa: ANN401 # DuckDB's connection
    file = str(path).translate(_GLOB)  # DuckDB would take these characters for wildcards
    described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [file]).fetchall()
    types = {str(row[0]): str(row[1]) for row in described}
    columns = choose_columns(types, str(path)).expressions
    kinds = {name: types[columns[name].strip('"').replace('""', '"')] for name in _IDS}
    start, end = columns["start"], columns.get("end") or f"{columns['start']} + {columns['duration']}"
    hashed = connection.execute(_hashes(columns, start, end), [file]).fetchnumpy()
    if (joined := _joined(hashed)) is not None:
        return joined
    ids = {name: _id(columns[name], kind) for name, kind in kinds.items()}
    found = connection.execute(_spans(ids, start, end), [file, file]).fetchnumpy()
    return _arrays(found, path)


def _hashes(columns: Mapping[str, str], start: str, end: str) -> str:
    parent = columns["parent_id"]
    return f"""
SELECT hash({columns["trace_id"]}) AS trace, hash({columns["span_id"]}) AS span,
  CASE WHEN {parent} <> '' THEN hash({parent}) END AS parent, {start} AS start_ns, {end} AS end_ns
FROM read_parquet(?)
"""  # noqa: S608


def _joined(hashed: dict[str, Any]) -> SpanArrays | None:
    """None if anything is odd."""
    has_parent = ~np.ma.getmaskarray(hashed["parent"])
    trace, span, parent = (np.ma.getdata(hashed[name]) for name in ("trace", "span", "parent"))
    starts, ends = (hashed[name] for name in ("start_ns", "end_ns"))
    if np.ma.is_masked(starts) or np.ma.is_masked(ends):
        return None
    children = np.flatnonzero(has_parent)
    rows = parent_rows(span, parent[children])
    if rows is None or not np.array_equal(trace[rows], trace[children]):
        return None
    parents = np.full(len(span), -1, dtype=np.int64)
    parents[children] = rows
    return SpanArrays(parents, np.asarray(starts, dtype=np.int64), np.asarray(ends, dtype=np.int64))


def _id(column: str, kind: str) -> str:
    return f"lower(hex({column}))" if kind == "BLOB" else f"lower({column})"


def _spans(ids: dict[str, str], start: str, end: str) -> str:
    # Column names of the file stand here, quoted; a parameter can't.
    return f"""
WITH spans AS (
  SELECT file_row_number AS place, {ids["trace_id"]} AS trace_id, {ids["parent_id"]} AS parent_id,
    {start} AS start_ns, {end} AS end_ns
  FROM read_parquet(?, file_row_number = true)
),
parents AS (
  SELECT file_row_number AS place, {ids["trace_id"]} AS trace_id, {ids["span_id"]} AS span_id
  FROM read_parquet(?, file_row_number = true)
)
SELECT spans.place, coalesce(parents.place, CASE WHEN {_NO_PARENT} THEN -1 ELSE -2 END) AS parent,
  start_ns, end_ns
FROM spans LEFT JOIN parents ON parents.trace_id = spans.trace_id AND parents.span_id = spans.parent_id
"""  # noqa: S608


def _arrays(found: dict[str, Any], path: Path) -> SpanArrays:
    places, parents = (np.asarray(found[name], dtype=np.int64) for name in ("place", "parent"))
    count = int(places.max()) + 1 if len(places) else 0
    lost = int(np.count_nonzero(parents == -2))
    if lost or len(places) != count:
        what = f"{lost} spans have lost their parent" if lost else "spans stand in it more than once"
        raise InputError(f"{path}: {what}", remedy=f"punie-trace report {path} mends that and says how.")
    for name in ("start_ns", "end_ns"):
        if np.ma.is_masked(found[name]):
            raise InputError(f"{path}: a span has no {name.removesuffix('_ns')}")

    def placed(column: Any) -> Integers:  # noqa: ANN401 # an array of any integers
        in_order = np.empty(count, dtype=np.int64)
        in_order[places] = column
        return in_order

    return SpanArrays(placed(parents), placed(found["start_ns"]), placed(found["end_ns"]))
