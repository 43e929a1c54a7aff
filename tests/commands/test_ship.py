"""`ship` as a user calls it: acknowledged, resumable, and honest about what was refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from otlp_receiver import Answer, Receiver, http_receiving

from punie.trace.__main__ import main
from punie.trace.errors import ExitCode
from punie.trace.store.runs.ship_state import FILE_NAME
from punie.trace.telemetry.provider import configure
from punie.trace.telemetry.shipping.collector import Endpoint, Search, find_collector
from punie.trace.telemetry.shipping.targets import Transport


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with http_receiving() as receiver:
        yield receiver


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of three spans whose process died in the middle of a fourth."""
    telemetry = configure(tmp_path / "run" / "spans")
    for name in ("first", "second", "third"):
        telemetry.tracer.start_span(name, attributes={"punie.query.text": "secret"}).end()
    telemetry.shutdown()
    with telemetry.journal.path.open("ab") as file:
        file.write(b'{"resourceSpans":[{"reso')
    return tmp_path / "run"


def test_a_crashed_run_is_sent_once_and_its_torn_line_is_said(
    run: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ship", str(run), "--otlp", receiver.url]) == ExitCode.OK
    said = capsys.readouterr().err
    assert f"{run}: sent to {receiver.url}/v1/traces (--otlp): 3 of 3 spans accepted" in said
    assert "1 unreadable journal lines skipped" in said
    assert main(["ship", str(run), "--otlp", receiver.url]) == ExitCode.OK
    assert "nothing new, 3 spans accepted earlier" in capsys.readouterr().err
    assert receiver.names() == ["first", "second", "third"]
    assert "secret" not in str(receiver.spans)


def test_again_and_with_content_send_it_once_more(run: Path, receiver: Receiver) -> None:
    ship = ["ship", str(run), "--otlp", receiver.url]
    assert main(ship) == main([*ship, "--again"]) == main([*ship, "--send-content"]) == ExitCode.OK
    assert receiver.names() == ["first", "second", "third"] * 3
    assert "secret" in str(receiver.spans[-1])


def test_a_partial_refusal_fails_and_is_remembered(
    run: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.script = [Answer(rejected=1, message="too old")]
    ship = ["ship", str(run), "--otlp", receiver.url]
    assert main(ship) == ExitCode.EXPORT
    assert "2 of 3 spans accepted, 1 rejected" in (said := capsys.readouterr().err)
    assert "partial success: too old" in said
    assert main(ship) == ExitCode.EXPORT
    assert "1 rejected earlier" in capsys.readouterr().err
    assert main([*ship, "--again"]) == ExitCode.OK


def test_a_receiver_that_is_down_fails_and_nothing_is_remembered(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with http_receiving() as gone:
        url = gone.url
    assert main(["ship", str(run), "--otlp", url]) == ExitCode.EXPORT
    assert "3 without an answer" in capsys.readouterr().err
    assert not (run / FILE_NAME).exists()


def test_several_runs_and_a_folder_of_journals(run: Path, receiver: Receiver) -> None:
    assert main(["ship", str(run), str(run / "spans"), "--otlp", receiver.url]) == ExitCode.OK
    assert len(receiver.spans) == 6
    assert (run / "spans" / FILE_NAME).is_file()


def test_what_is_no_run_is_named_before_anything_is_sent(
    run: Path, receiver: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").mkdir()
    assert main(["ship", str(run), str(tmp_path / "other"), "--otlp", receiver.url]) == ExitCode.INPUT
    assert str(tmp_path / "other") in capsys.readouterr().err
    assert receiver.requests == 0


def test_nobody_to_send_to_is_an_error_with_a_next_step(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ship", str(run)]) == ExitCode.EXPORT
    said = capsys.readouterr().err
    assert "OTEL_TRACES_EXPORTER" in said  # the tests' own environment forbids to look for one
    assert "--otlp URL" in said


def test_a_collector_on_this_machine_is_found(
    run: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def at_the_receivers_port() -> Search:
        return find_collector((Endpoint(Transport.HTTP, receiver.port),))

    monkeypatch.delenv("OTEL_TRACES_EXPORTER")
    monkeypatch.setattr("punie.trace.telemetry.shipping.collector.find_collector", at_the_receivers_port)
    assert main(["ship", str(run)]) == ExitCode.OK
    assert f"{receiver.url}/v1/traces (found listening): 3 of 3 spans accepted" in capsys.readouterr().err


def test_a_named_receiver_keeps_us_from_looking(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody_may_look() -> Search:
        raise AssertionError("looked for a Collector although one was named")

    monkeypatch.delenv("OTEL_TRACES_EXPORTER")
    monkeypatch.setattr("punie.trace.telemetry.shipping.collector.find_collector", nobody_may_look)
    with http_receiving() as named:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", named.url)
        assert main(["ship", str(run)]) == ExitCode.OK
        assert len(named.spans) == 3


def test_killed_in_the_middle_it_goes_on_where_the_acknowledgements_end(
    tmp_path: Path, receiver: Receiver
) -> None:
    telemetry = configure(tmp_path / "spans")
    for number in range(2000):
        telemetry.tracer.start_span(f"span {number}").end()
    telemetry.shutdown()
    receiver.script = [Answer(), Answer(), Answer(), Answer(wait_s=60)]
    command = [sys.executable, "-m", "punie.trace", "ship", str(tmp_path), "--otlp", receiver.url]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ)
    try:
        while receiver.requests < 4:
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert main(["ship", str(tmp_path), "--otlp", receiver.url]) == ExitCode.OK
    names = receiver.names()
    assert set(names) == {f"span {number}" for number in range(2000)}
    assert len(names) == 2000 + 256  # the batch whose answer never came, twice
