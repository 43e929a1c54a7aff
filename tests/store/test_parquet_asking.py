"""How DuckDB is asked: nothing on standard output, how far it is on a terminal, an end at once."""

from __future__ import annotations

import io
import sys

import duckdb
import pytest

from punie.trace import waiting
from punie.trace.store.parquet.asking import Asking, silent

SORTED = (
    "CREATE TABLE numbers AS SELECT md5(CAST(range AS VARCHAR)) AS text FROM range(2000000) ORDER BY text"
)


class Terminal(io.StringIO):
    """Standard error of somebody who watches."""

    def isatty(self) -> bool:
        return True


def test_how_far_it_is_stands_on_a_terminal_and_nothing_of_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(waiting, "AFTER_S", 0.0)
    with duckdb.connect() as connection:
        asking = Asking(silent(connection))
        asking.ask(SORTED, doing="sorting")
        (count,) = asking.ask("SELECT count(*) FROM numbers WHERE text > ?", [""], doing="x").fetchall()
    assert count == (2_000_000,)
    assert "\rsorting" in terminal.getvalue()
    assert " %" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_no_bar_of_progress_gets_into_the_output() -> None:
    with duckdb.connect() as connection:
        (told,) = silent(connection).execute("SELECT current_setting('enable_progress_bar_print')").fetchall()
    assert told == (False,)


def test_what_fails_in_duckdb_is_raised() -> None:
    with duckdb.connect() as connection, pytest.raises(duckdb.Error, match="no_such_table"):
        Asking(connection).ask("SELECT * FROM no_such_table", doing="x")


def test_the_statement_ends_when_the_wait_for_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    class Impatient(Terminal):
        def write(self, text: str) -> int:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stderr", Impatient())
    monkeypatch.setattr(waiting, "AFTER_S", 0.0)
    endless = "SELECT count(*) FROM range(1000000000000) AS a(x) WHERE md5(CAST(x AS VARCHAR)) = ''"
    with duckdb.connect() as connection, pytest.raises(KeyboardInterrupt):
        Asking(connection).ask(endless, doing="x")
