"""`train`: what is refused before anything is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from punie.trace.__main__ import main
from punie.trace.errors import ExitCode


def test_a_training_that_is_resumed_goes_on_as_it_was_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resume = ("--resume", str(tmp_path))
    more = ("--anyway", "--blocks", "5", "--format", "json")
    assert main(["train", "concise", *resume, *more]) == ExitCode.INPUT
    assert "not a training: it has no training.json" in capsys.readouterr().err
    for extra, named in (
        (["--samples", "3"], "--samples"),
        (["runs/a"], "RUN"),
        (["--margin", "0.2"], "--margin"),
    ):
        assert main(["train", "concise", *extra, *resume]) == ExitCode.USAGE
        assert f"{named} can't be used with --resume" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [(), ("--samples", "2"), ("--anyway",)])
def test_runs_may_stand_after_flags(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...]
) -> None:
    missing = [str(tmp_path / name) for name in ("one", "other")]
    assert main(["train", "concise", *flags, missing[0], "--seeds", "2", missing[1]]) == ExitCode.INPUT
    assert f"{missing[0]}: no such file or folder" in capsys.readouterr().err
    assert main(["train", "concise", *missing, "--anyways"]) == ExitCode.USAGE
    assert "train knows no --anyways; did you mean --anyway?" in capsys.readouterr().err


def test_without_a_run_there_is_nothing_to_train_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "concise"]) == ExitCode.USAGE
    assert "which runs?" in capsys.readouterr().err
