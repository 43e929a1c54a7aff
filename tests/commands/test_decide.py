"""`decide` from the outside: a run's spans alone, the formats, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from sample_trainings import nothing_shorter, worth_it

from punie.trace.__main__ import main
from punie.trace.analysis.tuning.training import Training
from punie.trace.errors import ExitCode
from punie.trace.report.builders.training import build_training
from punie.trace.report.formats import JSON
from punie.trace.tuning.folder import TrainingFolder
from punie.trace.tuning.plan import TrainingPlan


def _run_folder(parent: Path) -> Path:
    """A folder of spans with one query of a second, 0.9 s of it decode."""
    span = {
        "traceId": "0" * 31 + "1",
        "spanId": "0" * 15 + "1",
        "name": "query",
        "startTimeUnixNano": "1000000000",
        "endTimeUnixNano": "2000000000",
        "attributes": [{"key": "punie.query.id", "value": {"stringValue": "q"}}],
    }
    decode = span | {
        "spanId": "0" * 15 + "2",
        "parentSpanId": span["spanId"],
        "name": "decode",
        "endTimeUnixNano": "1900000000",
        "attributes": [{"key": "punie.phase", "value": {"stringValue": "decode"}}],
    }
    line = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span, decode]}]}]})
    (parent / "spans").mkdir()
    (parent / "spans/agent-1.jsonl").write_text(line + "\n")
    return parent


def test_a_run_alone_is_decided_as_far_as_it_goes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decide", str(_run_folder(tmp_path))]) == ExitCode.OK
    said = capsys.readouterr().out
    assert "not measured" in said
    assert "punie-trace bench speculative" in said


def test_the_decision_is_written_in_the_format_of_the_ending(tmp_path: Path) -> None:
    run = str(_run_folder(tmp_path))
    assert main(["decide", run, "-o", str(tmp_path / "d.json")]) == ExitCode.OK
    assert json.loads((tmp_path / "d.json").read_text())["benches"] == []
    assert main(["decide", run, "-o", str(tmp_path / "d.md")]) == ExitCode.OK
    assert (tmp_path / "d.md").read_text().startswith("# What to do")


def test_what_is_no_benchmark_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = _run_folder(tmp_path)
    assert main(["decide", str(run), str(run)]) == ExitCode.INPUT
    assert "not a benchmark" in capsys.readouterr().err


def _training_folder(parent: Path, training: Training) -> Path:
    folder = TrainingFolder.create(parent, "taught")
    folder.write_plan(TrainingPlan("taught", "", (), training.model, training.suite, "", training.split))
    (folder.path / "report.json").write_text(JSON.write(build_training(training)), encoding="utf-8")
    return folder.path


@pytest.mark.parametrize(
    ("training", "verdict", "then"),
    [(worth_it(), "yes", "Serve it: "), (nothing_shorter(), "no", "Keep the model as it is")],
)
def test_a_training_answers_the_last_step(
    training: Training, verdict: str, then: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, folder = _run_folder(tmp_path), _training_folder(tmp_path / "trainings", training)
    assert main(["decide", str(run), str(folder), "--format", "json"]) == ExitCode.OK
    decided = json.loads(capsys.readouterr().out)
    brevity = decided["steps"][-1]
    assert (brevity["name"], brevity["verdict"]) == ("brevity", verdict)
    assert brevity["next_step"].startswith(then)
    assert decided["conclusion"].startswith("Serve it") is (verdict == "yes")


def test_the_report_of_a_training_can_be_shown_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _training_folder(tmp_path / "trainings", worth_it())
    assert main(["report", str(folder), "--format", "json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == json.loads((folder / "report.json").read_text())


def test_a_training_that_has_not_ended_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, folder = _run_folder(tmp_path), _training_folder(tmp_path / "trainings", worth_it())
    (folder / "report.json").unlink()
    assert main(["decide", str(run), str(folder)]) == ExitCode.INPUT
    assert f"train concise --resume {folder}" in capsys.readouterr().err


def test_a_decision_as_a_table_has_a_line_a_step(tmp_path: Path) -> None:
    assert main(["decide", str(_run_folder(tmp_path)), "-o", str(tmp_path / "d.csv")]) == ExitCode.OK
    lines = list(csv.DictReader((tmp_path / "d.csv").read_text().splitlines()))
    assert [line["row"] for line in lines] == ["time", "levers", "draft", "target", "brevity"]
    assert lines[0]["column"] == "undecided"
    assert float(lines[0]["value"]) == pytest.approx(0.9)
