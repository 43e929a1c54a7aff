"""Ctrl-C ends a long report at once, in however many processes it is made."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb
import psutil
import pytest
from parquet_spans import Form, write_parquet
from query_trees import forty_queries, seeded

from punie.trace.errors import ExitCode
from punie.trace.usecases.processes import VARIABLE

LINES = Path(__file__).parents[1] / "data" / "recorded" / "frameworks" / "httpx2_beside_opentelemetry.jsonl"
COPIES = 4_000  # of its one trace: several seconds of work
COPIES_IN_PARQUET = 4_000  # of some 550 spans: several seconds of DuckDB's work
TRACE_ID = re.compile(rb'(?<="traceId":")[0-9a-f]{8}|(?<="traceId": ")[0-9a-f]{8}')


@pytest.fixture(scope="module")
def many_traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recorded = LINES.read_bytes().rstrip(b"\n") + b"\n"
    file = tmp_path_factory.mktemp("many") / "many.jsonl"
    with file.open("wb") as into:
        into.writelines(TRACE_ID.sub(b"%08x" % (number + 1), recorded) for number in range(COPIES))
    return file


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    seed = tmp_path_factory.mktemp("parquet") / "seed.parquet"
    write_parquet(seed, forty_queries(seeded(3)), Form.EXPORTER)
    copies = (
        f"SELECT * REPLACE (md5(TraceId || n) AS TraceId) FROM '{seed}', range({COPIES_IN_PARQUET}) AS r(n)"  # noqa: S608
    )
    file = seed.with_name("many.parquet")
    duckdb.connect().execute(f"COPY ({copies}) TO '{file}' (FORMAT parquet)")
    return file


def _worked_s(process: psutil.Process) -> float:
    """Processor time of a process and of those that it started and that still run."""
    spent = 0.0
    for one in (process, *process.children()):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        spent += times.user + times.system
    return spent


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize("after_s", [0.5, 1.5])
def test_less_than_a_second_is_worked_after_ctrl_c(many_traces: Path, processes: str, after_s: float) -> None:
    _interrupt(["report", str(many_traces)], after_s, processes)


@pytest.mark.parametrize("after_s", [0.7, 1.5, 2.5])
def test_less_than_a_second_is_worked_after_ctrl_c_while_duckdb_adds_up(
    parquet: Path, after_s: float
) -> None:
    _interrupt(["report", str(parquet), "--in-database", "--by", "day"], after_s)


def _interrupt(arguments: Sequence[str], after_s: float, processes: str = "1") -> None:
    """Send the signal of Ctrl-C after so much processor time, and look at how the program ends."""
    command = [sys.executable, "-m", "punie.trace", *arguments]
    environment = {**os.environ, VARIABLE: processes}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as report:
        watched = psutil.Process(report.pid)
        while report.poll() is None and _worked_s(watched) < after_s:
            time.sleep(0.02)
        assert report.poll() is None, "it ended before it could be interrupted"
        worked_s, started = _worked_s(watched), watched.children()
        report.send_signal(signal.SIGINT)
        while report.poll() is None and _worked_s(watched) < worked_s + 1:
            time.sleep(0.02)
        at_once = report.poll() is not None
        report.kill()
        out, err = report.communicate()
    assert at_once, "it went on for a second of processor time"
    assert report.returncode == ExitCode.INTERRUPTED
    assert (out, err) == ("", "punie-trace: interrupted\n")
    _, alive = psutil.wait_procs(started, timeout=30)
    assert not alive
