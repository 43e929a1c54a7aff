"""An mlx_lm that isn't what we know: said, and left alone."""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Event
from types import ModuleType
from typing import Any

import pytest
from mlx_lm import server
from served import wait_until

from punie.trace.errors import UsageError
from punie.trace.semconv import LOG_SPANS_LOST
from punie.trace.telemetry.journal.journal import Journal
from punie.trace.telemetry.mlx import hook as mlx_hook
from punie.trace.telemetry.mlx.contract import find_mismatches
from punie.trace.telemetry.mlx.writer import BackgroundWriter, GoOn


def changed(**replacements: object) -> ModuleType:
    """A module with all that mlx_lm.server has, except `replacements`."""
    module = ModuleType("changed")
    vars(module).update(vars(server) | replacements)
    return module


def test_the_installed_version_is_what_we_know() -> None:
    assert find_mismatches(server) == ()


def test_a_changed_signature_is_named() -> None:
    class ToolCallFormatter:
        def __call__(self, tool_calls: object, strict: object) -> None:
            """Takes one thing more."""

    assert find_mismatches(changed(ToolCallFormatter=ToolCallFormatter)) == (
        "ToolCallFormatter.__call__ takes (self, tool_calls, strict) instead of (self, tool_calls)",
    )


def test_parameters_that_cannot_be_read_are_a_mismatch_and_no_error() -> None:
    def stream_generate() -> None:
        """Its signature is none, as some of compiled functions are."""

    stream_generate.__signature__ = 5  # type: ignore[attr-defined] # the point
    (found,) = find_mismatches(changed(stream_generate=stream_generate))
    assert found.startswith("stream_generate takes parameters that can't be read instead of (")


def test_a_missing_function_class_and_field_are_named() -> None:
    class Response:
        """No dataclass, no fields."""

    found = find_mismatches(changed(stream_generate=None, BatchGenerator=None, Response=Response))
    assert found == (
        "BatchGenerator.next is missing",
        "stream_generate is missing",
        "Response has no field token",
        "Response has no field finish_reason",
    )


def test_a_seam_that_is_there_but_no_longer_used_is_named() -> None:
    class APIHandler(server.APIHandler):
        def handle_completion(self, request: Any, stop_words: Any) -> None:  # noqa: ANN401 - as the original
            self.response_generator.generate(request, stop_words)

    assert find_mismatches(changed(APIHandler=APIHandler)) == (
        "APIHandler.handle_completion doesn't use ToolCallFormatter",
    )


def test_another_mlx_lm_runs_plain_and_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = changed(stream_generate=None)
    before = dict(vars(other.APIHandler))
    with ExitStack() as cleanup, caplog.at_level(logging.WARNING):
        mlx_hook.trace_server(other, str(tmp_path / "spans"), cleanup)
    assert "stream_generate is missing" in caplog.text
    assert "without spans" in caplog.text
    assert dict(vars(other.APIHandler)) == before
    assert not (tmp_path / "spans").exists()


def test_a_hook_without_a_directory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(mlx_hook.SPANS_VARIABLE, raising=False)
    with pytest.raises(UsageError, match=mlx_hook.SPANS_VARIABLE):
        mlx_hook.install(ExitStack())


def test_the_writer_keeps_the_order_and_outlives_an_error(caplog: pytest.LogCaptureFixture) -> None:
    lost, done = list[str](), list[int]()
    writer = BackgroundWriter(lost.append)

    def fail(_: GoOn) -> None:
        raise ValueError("a bug of ours")

    def note(number: int, _: GoOn) -> None:
        done.append(number)

    for number in range(3):
        writer.submit(partial(note, number))
        writer.submit(fail)
    assert writer.drain(30)
    assert done == [0, 1, 2]
    assert caplog.text.count("ValueError: a bug of ours") == 3
    assert lost == ["a span of the server is lost: ValueError: a bug of ours"] * 3


def test_a_job_has_its_time_and_no_more_when_the_end_is_near() -> None:
    began, steps = Event(), list[bool]()

    def work(go_on: GoOn) -> None:
        began.set()
        while go_on():
            steps.append(True)
        steps.append(False)

    short = BackgroundWriter(pytest.fail, patience_ns=1_000_000)
    short.submit(work)
    wait_until(lambda: False in steps or None)  # by itself
    steps.clear()
    began.clear()
    patient = BackgroundWriter(pytest.fail, patience_ns=3_600_000_000_000)
    patient.submit(work)
    assert began.wait(30)
    assert patient.drain(30)
    assert False in steps


def test_a_span_that_the_end_does_not_wait_for_is_counted_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer, go = BackgroundWriter(pytest.fail), Event()

    def work_on(_: GoOn) -> None:
        go.wait(30)

    writer.submit(work_on)
    journal = Journal(tmp_path, "mlx_lm")
    mlx_hook.end_writer(writer, journal, within_s=0.01)
    go.set()
    assert journal.status.lost == 1
    assert LOG_SPANS_LOST in caplog.text


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the figure is there")
def test_the_servers_footprint_is_on_macos_the_figure_of_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mlx_hook.memory_probe(server).footprint_bytes() > 2**20
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(AttributeError, match="proc_pid_rusage"):  # asked for, and not there
        mlx_hook.memory_probe(server).footprint_bytes()
