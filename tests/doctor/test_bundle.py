"""A bundle has what a bug report needs, and nothing of what its sender works on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from punie.trace.__main__ import main
from punie.trace.doctor.bundle import without_places
from punie.trace.errors import ExitCode

RUN = Path(__file__).parents[1] / "data/recorded/frameworks/openllmetry_langgraph.jsonl"


def test_it_is_shown_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bundle.json"
    places = ["--runs", str(tmp_path / "my secret/runs"), "--model", "secret model/q"]
    assert main(["doctor", "--bundle", str(file), "--run", str(RUN), *places]) == 0
    shown, told = capsys.readouterr()
    assert file.read_text() == shown
    assert "look through it" in told
    bundle = json.loads(shown)
    assert set(bundle) == {"schema_version", "versions", "machine", "checks", "run_findings"}
    assert bundle["versions"]["python"]
    assert {check["subject"] for check in bundle["checks"]} >= {"packages", "disk", "Collector"}
    assert all(set(finding) == {"slug", "effect", "count"} for finding in bundle["run_findings"])
    assert "secret" not in shown
    assert str(Path.home()) not in shown


def test_a_file_that_exists_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bundle.json"
    file.write_text("mine")
    assert main(["doctor", "--bundle", str(file)]) == ExitCode.USAGE
    assert file.read_text() == "mine"
    assert "the file exists" in capsys.readouterr().err


def test_a_run_alone_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--run", "runs/1"]) == ExitCode.USAGE
    assert "--run is for --bundle" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("1.2 GB free at /Users/ann/runs of 5 GB", "1.2 GB free at <path> of 5 GB"),
        ("~/models/qwen: no tokenizer.json", "<path>: no tokenizer.json"),
        ("'/home/ann/my models/q' is no folder", "<path> is no folder"),
        (r"C:\Users\ann\runs is full", "<path> is full"),
        ("http://127.0.0.1:4318 answers", "http://127.0.0.1:4318 answers"),
        ("HTTP_PROXY is http://ann:pw@proxy.corp:3128/", "HTTP_PROXY is <url>"),
        ("3 of 4 checks, 12 GB/s, and/or", "3 of 4 checks, 12 GB/s, and/or"),
    ],
)
def test_places_are_replaced(text: str, clean: str) -> None:
    assert without_places(text) == clean
