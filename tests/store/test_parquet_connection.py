"""How DuckDB is asked: nothing on standard output, and errors that name the input."""

from __future__ import annotations

import pytest

from punie.trace.errors import InputError
from punie.trace.store.parquet.connection import connect


def test_no_bar_of_progress_gets_into_the_output() -> None:
    with connect("x", print) as duckdb:
        (told,) = duckdb.execute("SELECT current_setting('enable_progress_bar_print')", doing="x").fetchall()
    assert told == (False,)


@pytest.mark.parametrize(
    ("sql", "config", "said"),
    [
        ("SELECT * FROM no_such_table", {}, "x: damaged Parquet: .*no_such_table"),
        (
            "CREATE TABLE t AS SELECT md5(range::VARCHAR) AS a FROM range(10000000) ORDER BY a",
            {"memory_limit": "5MB", "temp_directory": "", "threads": "1"},
            "x: 5MB and the disk don't suffice",
        ),
    ],
)
def test_what_fails_in_duckdb_names_the_input(sql: str, config: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said), connect("x", print, **config) as duckdb:
        duckdb.execute(sql, doing="x")
