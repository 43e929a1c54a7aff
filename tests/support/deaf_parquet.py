"""What a child does in the place of reading Parquet: DuckDB is deaf, dies, prints, or nobody knows.

Children find this module by `PYTHONPATH`.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from punie.trace.errors import InputError
from punie.trace.store.parquet import rows
from punie.trace.store.parquet.apart import Send
from punie.trace.store.parquet.connection import connect

_SORTED = (
    "CREATE TABLE numbers AS SELECT md5(CAST(range AS VARCHAR)) AS text FROM range(2000000) ORDER BY text"
)


def send_types(send: Send, file: str) -> None:
    """As the real one, without the check of the schema that keeps DuckDB from being deaf."""
    vars(rows)["_DEEPEST"] = 100
    rows.send_types(send, file)


def send_pid(send: Send) -> None:
    """Which process answers."""
    send(os.getpid())


def die(send: Send) -> None:
    """As a fault in DuckDB's code ends it, after the first part of an answer."""
    send("first")
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(send: Send) -> None:
    """As an end that nobody planned, with a last word."""
    sys.stderr.write("so\nterminate called\n")
    sys.stderr.flush()
    os._exit(3)


def chatter(send: Send) -> None:
    """Print in the midst of an answer."""
    send(1)
    os.write(1, b"printed by native code\n")
    send(2)


def refuse(send: Send) -> None:
    """An error of ours."""
    raise InputError("file: is none", remedy="take another")


def stumble(send: Send) -> None:
    """An error that nobody planned."""
    raise KeyError("nothing")


def count(send: Send, parts: int) -> None:
    """Many parts."""
    for number in range(parts):
        send(number)


def work_for(send: Send, cpu_s: float) -> None:
    """Take so much processor time."""
    until_s = time.process_time() + cpu_s
    while time.process_time() < until_s:
        pass
    send("done")


def sort(send: Send) -> None:
    """Work of DuckDB's that takes a moment."""
    with connect("numbers", send) as duckdb:
        duckdb.execute(_SORTED, doing="sorting")
        send(duckdb.execute("SELECT count(*) FROM numbers WHERE text > ?", [""], doing="x").fetchall())
