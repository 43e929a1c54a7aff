"""DuckDB in a process of its own: what comes back, and how it ends when DuckDB is deaf or dies."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import deaf_parquet
import psutil
import pytest

from punie.trace import waiting
from punie.trace.__main__ import main
from punie.trace.errors import ExitCode, InputError, WorkerError
from punie.trace.store.files import limit
from punie.trace.store.files.limit import UnpackedLimit
from punie.trace.store.parquet import rows
from punie.trace.store.parquet.apart import Work, apart, end_idle

SUPPORT = str(Path(deaf_parquet.__file__).parent)
DEAF = Path(__file__).parents[1] / "fuzz" / "kept" / "parquet-seventeen-lists-in-each-other"
# the command, with the check of the schema lifted: DuckDB reads the file for years
LIFTED = (
    "import deaf_parquet; from punie.trace.store.parquet import rows; rows.send_types = deaf_parquet.send_types; "
    "from punie.trace.__main__ import run; run()"
)


@pytest.fixture(autouse=True)
def _children(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """They find the module, and none is left to another test."""
    end_idle()
    monkeypatch.setenv("PYTHONPATH", SUPPORT)
    yield
    end_idle()


def answer(work: Work, *given: object) -> list[object]:
    return list(apart(UnpackedLimit("spans.parquet", 0), work, *given))


def answering() -> int:
    (process,) = answer(deaf_parquet.send_pid)
    assert isinstance(process, int)
    return process


def test_one_process_that_is_our_child_answers_all() -> None:
    assert answering() == answering()
    assert psutil.Process(answering()).ppid() == os.getpid()


def test_who_prints_does_not_answer() -> None:
    assert answer(deaf_parquet.chatter) == [1, 2]


def test_errors_come_through_and_the_next_question_is_answered() -> None:
    before = answering()
    with pytest.raises(InputError, match="file: is none") as refused:
        answer(deaf_parquet.refuse)
    assert refused.value.remedy == "take another"
    with pytest.raises(KeyError) as stumbled:
        answer(deaf_parquet.stumble)
    assert "deaf_parquet.py" in stumbled.value.__notes__[0]
    assert answering() == before


@pytest.mark.parametrize(
    ("work", "said"),
    [(deaf_parquet.die, "SIGSEGV"), (deaf_parquet.leave, "status 3: terminate called")],
)
def test_a_process_that_dies_is_an_error_that_says_how_and_the_next_one_answers(
    work: Work, said: str
) -> None:
    with pytest.raises(WorkerError, match=f"spans.parquet: .* ended with {said}"):
        answer(work)
    assert answer(deaf_parquet.chatter) == [1, 2]


def test_a_fork_has_a_child_of_its_own() -> None:
    ours = answering()
    receiver, sender = os.pipe()
    if not (fork := os.fork()):
        os.write(sender, b"%d" % answering())
        end_idle()
        os._exit(0)
    assert os.waitpid(fork, 0)[1] == 0
    assert int(os.read(receiver, 20)) != ours
    assert answering() == ours


def test_a_child_whose_answer_nobody_wants_is_ended() -> None:
    process = answering()
    parts = apart(UnpackedLimit("spans.parquet", 0), deaf_parquet.count, 1_000_000)
    assert next(parts) == 0
    parts.close()  # type: ignore[attr-defined]
    assert not psutil.pid_exists(process)


def test_what_takes_too_long_ends_with_an_error_that_names_file_and_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rows, "send_types", deaf_parquet.send_types)
    monkeypatch.setattr(limit, "_FREE_S", 1)
    monkeypatch.setenv(limit.VARIABLE, "1000000")
    assert main(["report", str(DEAF)]) == ExitCode.INPUT
    said = capsys.readouterr().err
    assert f"{DEAF}: damaged Parquet: DuckDB isn't done with it after 1 s of processor time" in said
    assert limit.VARIABLE in said


def test_the_time_is_each_answers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit, "_FREE_S", 1)
    monkeypatch.setenv(limit.VARIABLE, "1000000")
    for _ in range(4):
        answer(deaf_parquet.work_for, 0.6)


def _deaf_report() -> tuple[subprocess.Popen[str], psutil.Process]:
    """A report of the deaf file, and DuckDB's process once it is busy with it."""
    report = subprocess.Popen(
        [sys.executable, "-c", LIFTED, "report", str(DEAF)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (children := psutil.Process(report.pid).children()) or children[0].cpu_times().user < 1:
        time.sleep(0.05)
        assert report.poll() is None
    return report, children[0]


@pytest.mark.parametrize("from_a_terminal", [True, False])
def test_ctrl_c_ends_a_deaf_duckdb_at_once(from_a_terminal: bool) -> None:
    report, child = _deaf_report()
    with report:
        if from_a_terminal:
            os.killpg(report.pid, signal.SIGINT)
        else:
            report.send_signal(signal.SIGINT)
        begun_s = time.monotonic()
        out, err = report.communicate(timeout=60)
        took_s = time.monotonic() - begun_s
    assert (report.returncode, out, err) == (ExitCode.INTERRUPTED, "", "punie-trace: interrupted\n")
    assert took_s < 10  # 0.2 where nothing else runs; the deaf one would be there for years
    psutil.wait_procs([child], timeout=30)
    assert not child.is_running()


class Terminal(io.StringIO):
    """Standard error of somebody who watches."""

    def isatty(self) -> bool:
        return True


def test_how_far_it_is_stands_on_a_terminal_and_nothing_of_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(waiting, "AFTER_S", 0.0)
    assert answer(deaf_parquet.sort) == [[(2_000_000,)]]
    assert "\rsorting" in terminal.getvalue()
    assert " %" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_a_deaf_duckdb_ends_when_its_parent_was_killed() -> None:
    report, child = _deaf_report()
    report.kill()
    report.communicate()
    _, alive = psutil.wait_procs([child], timeout=30)
    assert not alive
