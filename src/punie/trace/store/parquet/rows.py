"""The columns and the rows of a Parquet file, as DuckDB gives them: what runs in the process that `apart` starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from punie.trace.errors import InputError
from punie.trace.store.parquet.apart import Send
from punie.trace.store.parquet.connection import ANOTHER_PROGRAM, ReportingConnection, connect

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

_LISTS: Final = frozenset({"list", "array", "map"})
_NESTING: Final = _LISTS | {"struct", "union"}
_DEEPEST: Final = 8  # lists in lists; Tempo's blocks have 5
_GLOB: Final = str.maketrans({char: f"[{char}]" for char in "*?["})


def send_types(send: Send, file: str) -> None:
    """Send the type of each column, by name, in one mapping. Raises `InputError` as `column_types`."""
    with connect(file, send) as duckdb:
        send(column_types(duckdb, file))


def send_rows(send: Send, file: str, selection: str, at_once: int) -> None:
    """Send lists of rows, up to `at_once` in each; the first have few, so that long values are counted early."""
    with connect(file, send) as duckdb:
        # The selection is made of column names of the file, quoted; a parameter can't stand there.
        sql = f"SELECT {selection} FROM read_parquet(?)"  # noqa: S608
        found, size = duckdb.execute(sql, [file_pattern(file)], doing=f"reading {file}"), 1
        while rows := found.fetchmany(size):
            send(rows)
            size = min(2 * size, at_once)


def file_pattern(file: str) -> str:
    """What DuckDB reads as this one file: it takes some characters for wildcards."""
    return file.translate(_GLOB)


def column_types(duckdb: ReportingConnection, file: str) -> Mapping[str, str]:
    """The type of each column of a file, by name.

    Raises `InputError` for lists in lists beyond what spans need: each doubles the time of those in it, and one damaged
    byte of a schema makes 15 of them, which DuckDB would read for years.
    """
    sql, given = "SELECT * FROM read_parquet(?)", [file_pattern(file)]
    described = duckdb.execute(f"DESCRIBE {sql}", given, doing=f"reading {file}").fetchall()
    types = {str(row[0]): str(row[1]) for row in described}
    # after it: names that aren't UTF-8 were refused above
    found = duckdb.connection.sql(f"{sql} LIMIT 0", params=given)
    for name, of in zip(types, found.types, strict=True):
        if _lists(of) > _DEEPEST:
            raise InputError(
                f"{file}: damaged Parquet: column {name} has more than {_DEEPEST} lists in lists",
                remedy=ANOTHER_PROGRAM,
            )
    return types


def _lists(of: DuckDBPyType) -> int:
    """How many lists are in each other at most; a map is a list of pairs."""
    deepest, ahead = 0, [(of, 0)]
    while ahead:
        at, outside = ahead.pop()
        if at.id in _NESTING:
            depth = outside + (at.id in _LISTS)
            deepest = max(deepest, depth)
            ahead += [(child, depth) for _, child in at.children if isinstance(child, type(of))]
    return deepest
