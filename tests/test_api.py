"""The public interface: what the commands do, for programs and notebooks."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel

import punie.trace
from punie.trace.errors import InputError, UsageError
from punie.trace.telemetry.http.transports import uninstrument_http
from punie.trace.usecases.load import LoadedSource

MAY_IMPORT = {"punie", "punie.trace", "punie.trace.api"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The spans of three runs of an agent that was instrumented in a line."""
    folder = tmp_path_factory.mktemp("spans")
    agent = Agent(TestModel(), name="helper")
    telemetry = punie.trace.instrument(agent, journal_dir=folder)
    for number in range(3):
        asyncio.run(agent.run(f"question {number}"))
    punie.trace.uninstrument(agent)
    asyncio.run(agent.run("not recorded"))
    uninstrument_http(telemetry)
    telemetry.shutdown()
    return folder


def test_importing_it_loads_next_to_nothing() -> None:
    program = "import sys; before = set(sys.modules); import punie.trace; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.partition(".")[0] == "punie"} == MAY_IMPORT
    assert {name.partition(".")[0] for name in loaded - MAY_IMPORT} <= sys.stdlib_module_names


def test_all_that_is_public_is_documented_and_typed() -> None:
    assert sorted(punie.trace.__all__) == punie.trace.__all__
    for name in punie.trace.__all__:
        public = getattr(punie.trace, name)
        assert (public.__doc__ or "").strip(), name
        assert public.__module__ == "punie.trace.api"


def test_spans_are_read_once_and_analysed_as_often_as_wanted(folder: Path) -> None:
    spans = punie.trace.read_spans(folder)
    assert isinstance(spans, LoadedSource)
    assert repr(spans) == f"<6 spans of {folder}>"
    report = punie.trace.analyse(spans, target_s=2.5)
    assert len(report.analysis.records) == 3
    assert all(sum(record.ledger.phases_ns.values()) == record.wall_ns for record in report.analysis.records)
    assert punie.trace.analyse(folder).analysis.records == report.analysis.records
    assert "target 2.500 s" in punie.trace.render(report)


def test_a_report_is_short_in_a_prompt_and_a_table_in_a_notebook(folder: Path) -> None:
    report = punie.trace.analyse(folder)
    assert repr(report).startswith(f"<report of {folder}; generation: ")
    assert len(repr(report)) < 300
    assert "| --- |" in report._repr_markdown_().replace("---:", "--- ").replace("|---", "| ---")


@pytest.mark.parametrize("name", ["text", "md", "csv", "json"])
def test_it_is_what_the_command_writes(name: str, folder: Path) -> None:
    text = punie.trace.render(punie.trace.analyse(str(folder)), name)
    command = [sys.executable, "-m", "punie.trace", "report", str(folder), "--format", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == text


def test_two_sides_are_compared(folder: Path) -> None:
    report = punie.trace.compare(folder, [folder])
    assert report.comparison is not None
    assert "A against B" in repr(report)
    assert json.loads(punie.trace.render(report, "json"))


def test_what_is_wrong_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        punie.trace.read_spans(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="format pdf"):
        punie.trace.render(punie.trace.analyse(folder), "pdf")
