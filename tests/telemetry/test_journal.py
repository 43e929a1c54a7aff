"""The journal's promise: an ended span is in the file, whole, whatever happens to the process."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from file_size import file_size_limit

from punie.trace.errors import ExportError
from punie.trace.telemetry.journal.held_lines import HeldLines, takers
from punie.trace.telemetry.journal.journal import Journal
from punie.trace.telemetry.journal.processor import JournalSpanProcessor
from punie.trace.telemetry.provider import Telemetry, configure

Spans = Callable[[], list[Any]]

_WRITER = """
import sys
from punie.trace.telemetry.provider import configure
telemetry = configure(sys.argv[1])
number = 0
while True:
    telemetry.tracer.start_span("step", attributes={"number": number}).end()
    print(number, flush=True)
    number += 1
"""


def test_a_span_is_in_the_file_when_end_returns(telemetry: Telemetry, spans: Spans) -> None:
    span = telemetry.tracer.start_span("work")
    assert spans() == []
    span.end()
    assert [found.name for found in spans()] == ["work"]


def test_kill_9_loses_no_ended_span(tmp_path: Path, read: Callable[[Path], list[Any]]) -> None:
    command = [sys.executable, "-c", _WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= 200:
                break
        writer.send_signal(signal.SIGKILL)
        said = [int(line) for line in writer.stdout.read().splitlines() if line.isdigit()]
    last_ended = max(said, default=200)
    found = read(next(tmp_path.glob("agent-*.jsonl")))
    assert [span.attributes["number"] for span in found][: last_ended + 1] == list(range(last_ended + 1))


def test_a_burst_of_20000_spans_loses_none(telemetry: Telemetry) -> None:
    for number in range(20_000):
        telemetry.tracer.start_span("burst", attributes={"number": number}).end()
    with telemetry.journal.path.open("rb") as file:
        assert sum(1 for _ in file) == 20_000
    assert telemetry.journal.status.written == 20_000
    assert telemetry.journal.status.lost == 0


def test_threads_write_whole_lines(telemetry: Telemetry, spans: Spans) -> None:
    def work() -> None:
        for _ in range(200):
            telemetry.tracer.start_span("work", attributes={"long": "x" * 5000}).end()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({span.span_id for span in spans()}) == 800


def test_a_working_directory_that_changes_takes_no_journal_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    journal = Journal("spans", "agent")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert journal.write_line(b"{}\n")
    journal.close()
    assert [file.parent for file in tmp_path.rglob("*.jsonl")] == [tmp_path / "spans"]


def test_a_torn_line_of_an_earlier_process_is_closed_off(tmp_path: Path) -> None:
    path = tmp_path / f"agent-{os.getpid()}.jsonl"
    path.write_bytes(b'{"whole":1}\n{"resourceSp')
    journal = Journal(tmp_path, "agent")
    journal.write_line(b'{"next":1}\n')
    journal.close()
    assert path.read_bytes() == b'{"whole":1}\n{"resourceSp\n{"next":1}\n'


def test_what_a_full_disk_doesnt_take_is_held_and_said_and_written_when_there_is_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path, "agent")
    assert journal.write_line(b'{"first":1}\n')
    with caplog.at_level(logging.WARNING), file_size_limit(16):
        assert not journal.write_line(b'{"second":2}\n')  # four bytes fit
        assert not journal.write_line(b'{"third":3}\n')
        status = journal.status
    assert (status.written, status.lost, status.held) == (1, 0, 2)
    assert os.strerror(errno.EFBIG) in status.last_error
    assert len(caplog.records) == 1  # the same trouble twice is said once
    assert journal.write_line(b'{"fourth":4}\n')
    journal.close()
    assert journal.path.read_bytes() == b'{"first":1}\n{"se\n{"second":2}\n{"third":3}\n{"fourth":4}\n'
    assert (journal.status.written, journal.status.lost, journal.status.held) == (4, 0, 0)


def test_what_is_held_at_the_end_is_lost_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(tmp_path, "agent")
    with caplog.at_level(logging.ERROR), file_size_limit(0):
        assert not journal.write_line(b"{}\n")
        journal.close()
    assert (journal.status.written, journal.status.lost) == (0, 1)
    assert "span journal: 1 lines: " in caplog.text


def test_more_than_memory_may_hold_is_lost(tmp_path: Path) -> None:
    taken: list[bytes] = []
    held = HeldLines(most_bytes=10)
    takers.append(taker := lambda _, line: taken.append(line))
    try:
        assert [held.hold(tmp_path, line) for line in (b"12345", b"67890", b"1")] == [True, True, False]
    finally:
        takers.remove(taker)
    assert taken == [b"12345", b"67890"]


def test_a_journal_that_was_removed_is_begun_anew_and_what_was_in_it_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path / "spans", "agent")
    assert journal.write_line(b"1\n")
    shutil.rmtree(tmp_path / "spans")
    with caplog.at_level(logging.ERROR):
        assert journal.write_line(b"2\n")
    assert journal.path.read_bytes() == b"2\n"
    assert (journal.status.written, journal.status.lost) == (1, 1)
    assert f"{journal.path} was removed while it was written: 1 line" in caplog.text
    journal.path.unlink()
    journal.close()
    assert (journal.status.written, journal.status.lost) == (0, 2)


def test_a_journal_that_was_cut_goes_on_with_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / f"agent-{os.getpid()}.jsonl"
    path.write_bytes(b"earlier\n")  # of a process that had the same number
    journal = Journal(tmp_path, "agent")
    assert all(journal.write_line(line) for line in (b"first\n", b"second\n", b"third\n"))
    os.truncate(path, len(b"earlier\nfirst\nsec"))
    assert journal.write_line(b"fourth\n")
    assert path.read_bytes() == b"earlier\nfirst\nsec\nfourth\n"
    assert (journal.status.written, journal.status.lost) == (2, 2)
    assert "was cut while it was written: 2 lines" in journal.status.last_error
    journal.close()


def test_a_sync_that_fails_is_counted_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / f"agent-{os.getpid()}.jsonl")  # which takes lines and can't be synced
    journal = Journal(tmp_path, "agent")
    with caplog.at_level(logging.ERROR):
        assert journal.write_line(b"{}\n")
        journal.sync_soon()
        journal.close()
    assert (journal.status.lost, journal.status.unsynced) == (0, 2)  # once in the thread, once by `close`
    assert "fsync: " in journal.status.last_error
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


class BusyDisk:
    """An `fsync` that takes until it is told to go on."""

    def __init__(self) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()
        self.threads: list[str] = []

    def fsync(self, fd: int) -> None:
        self.threads.append(threading.current_thread().name)
        self.began.set()
        assert self.go_on.wait(30)
        _fsync(fd)


_fsync = os.fsync


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> BusyDisk:
    disk = BusyDisk()
    monkeypatch.setattr(os, "fsync", disk.fsync)
    return disk


def test_neither_an_answer_nor_a_line_waits_for_the_disk(tmp_path: Path, disk: BusyDisk) -> None:
    journal = Journal(tmp_path, "agent")
    journal.write_line(b'{"first":1}\n')
    journal.sync_soon()
    assert disk.began.wait(30)  # the disk works, and goes on working
    assert journal.write_line(b'{"second":2}\n')
    assert journal.status.written == 2
    disk.go_on.set()
    journal.close()


def test_the_end_waits_for_every_sync_that_was_asked_for(tmp_path: Path, disk: BusyDisk) -> None:
    journal = Journal(tmp_path, "agent")
    journal.open()
    for _ in range(3):
        journal.sync_soon()
    assert disk.began.wait(30)
    closing = threading.Thread(target=journal.close, name="closing")
    closing.start()
    closing.join(0.1)
    assert closing.is_alive()
    disk.go_on.set()
    closing.join(30)
    assert disk.threads == ["journal-sync"] * 3 + ["closing"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("journal-sync")]


def test_an_agent_never_sees_the_journal_fail(telemetry: Telemetry) -> None:
    telemetry.journal.close()
    telemetry.tracer.start_span("late").end()
    assert telemetry.journal.status.lost == 1
    assert "closed" in telemetry.journal.status.last_error


def test_a_forked_child_writes_a_file_of_its_own(tmp_path: Path, read: Callable[[Path], list[Any]]) -> None:
    program = """
import os, sys
from punie.trace.telemetry.provider import configure
telemetry = configure(sys.argv[1])
telemetry.tracer.start_span("parent").end()
telemetry.sync()
child = os.fork()
if child == 0:
    telemetry.tracer.start_span("child").end()
    telemetry.sync()
    telemetry.shutdown()
    os._exit(0)
os.waitpid(child, 0)
telemetry.tracer.start_span("parent again").end()
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=60)
    names = sorted([span.name for span in read(path)] for path in tmp_path.glob("agent-*.jsonl"))
    assert names == [["child"], ["parent", "parent again"]]


def test_a_directory_that_cannot_be_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match=r"file/spans/agent-\d+\.jsonl: the span journal can't be written"):
        configure(tmp_path / "file" / "spans")


def test_only_the_owner_can_read_it(telemetry: Telemetry) -> None:
    assert telemetry.journal.path.stat().st_mode & 0o777 == 0o600


def test_a_span_that_cannot_be_encoded_is_counted(tmp_path: Path) -> None:
    class Broken:
        name = "broken"
        context = None

        @property
        def resource(self) -> object:
            raise RuntimeError("no resource")

    processor = JournalSpanProcessor(Journal(tmp_path, "agent"))
    processor.on_end(Broken())  # type: ignore[arg-type] # what no span of the SDK is
    assert processor.journal.status.lost == 1
    assert "no resource" in processor.journal.status.last_error
    assert not processor.force_flush()
    processor.shutdown()


def test_every_line_is_json_with_one_span(telemetry: Telemetry) -> None:
    telemetry.tracer.start_span("a\nb\u2028c").end()
    (line,) = telemetry.journal.path.read_bytes().splitlines()
    assert len(json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]) == 1


def test_a_link_in_place_of_a_journal_is_not_written_through(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("not ours")
    (tmp_path / f"agent-{os.getpid()}.jsonl").symlink_to(other)
    journal = Journal(tmp_path, "agent")
    assert not journal.write_line(b"{}\n")
    assert other.read_text() == "not ours"
    assert (journal.status.held, journal.status.lost) == (1, 0)
    with pytest.raises(ExportError, match="can't be written"):
        journal.open()
