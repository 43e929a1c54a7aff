"""Traces that are read in several processes: the same report to the byte, and no sum without a process that died."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import psutil
import pytest
from msgspec.structs import replace

from punie.trace.errors import UsageError, WorkerError
from punie.trace.model import Span, SpanSet
from punie.trace.report.builders.run import build_run
from punie.trace.report.formats import by_name
from punie.trace.store.sources import read_source
from punie.trace.usecases.load import LoadedSource
from punie.trace.usecases.processes import VARIABLE, in_processes
from punie.trace.usecases.run_report import VerdictTargets, build_report

RECORDED = Path(__file__).parents[1] / "data" / "recorded" / "frameworks"


def _copies(count: int) -> tuple[Span, ...]:
    """Traces of several frameworks, each many times over, so that every process gets batches of them."""
    recorded = [span for path in sorted(RECORDED.glob("*.jsonl")) for span in read_source(str(path)).spans]
    assert len({span.trace_id for span in recorded}) > 5
    return tuple(_renamed(span, number) for number in range(count) for span in recorded)


def _renamed(span: Span, number: int) -> Span:
    return replace(span, trace_id=f"{int(span.trace_id, 16) ^ number:032x}")


def _report(spans: tuple[Span, ...]) -> str:
    loaded = LoadedSource("copies", SpanSet(spans), None, now_ns=None)
    return by_name("json").write(build_run(build_report(loaded, VerdictTargets())))


def test_the_report_is_the_same_in_any_number_of_processes_and_any_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spans = _copies(30)
    monkeypatch.setenv(VARIABLE, "1")
    alone = _report(spans)
    for processes in ("2", "4"):
        monkeypatch.setenv(VARIABLE, processes)
        assert _report(spans) == alone
    shuffled = list(spans)
    Random(3).shuffle(shuffled)  # noqa: S311 # an order
    assert _report(tuple(shuffled)) == alone


def test_results_come_in_order_from_each_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "3")
    found = list(in_processes(lambda number: (number, os.getpid()), range(1_001)))
    assert [number for number, _ in found] == list(range(1_001))
    assert len({process for _, process in found} | {os.getpid()}) == 4


def test_a_process_that_dies_is_an_error_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "2")
    with pytest.raises(WorkerError, match=r"^process 2 of 2, .* ended with 9$"):
        list(in_processes(lambda number: os._exit(9) if number == 250 else number, range(1_000)))


def test_what_goes_wrong_in_a_process_goes_wrong_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "2")
    with pytest.raises(ZeroDivisionError):
        list(in_processes(lambda number: 1 // (700 - number), range(1_000)))


def test_a_number_of_processes_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "0")
    with pytest.raises(UsageError, match="PUNIE_PROCESSES=0: no number of processes"):
        list(in_processes(str, [1]))


# the results fill the pipes, and nobody takes them
WAITING = """
from punie.trace.usecases.processes import in_processes
results = in_processes(lambda number: str(number) * 10_000, range(4_000))
next(results)
print(flush=True)
input()
"""


def test_they_end_when_who_started_them_was_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, VARIABLE: "3"},
    ) as parent:
        assert parent.stdout
        parent.stdout.readline()
        workers = psutil.Process(parent.pid).children()
        parent.kill()
    _, alive = psutil.wait_procs(workers, timeout=30)
    for worker in alive:
        worker.kill()
    assert (len(workers), alive) == (3, [])
