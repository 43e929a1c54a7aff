"""What somebody would think of: one thing wrong in a small input ends in a report, a finding or an error of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import malformed_inputs
import pytest
from fuzzing.oracle import CONTROLS
from fuzzing.worker import try_input

from punie.trace.__main__ import main
from punie.trace.errors import ExitCode

TRACES: Final = dict(malformed_inputs.traces())
TOMLS: Final = {f"{what}: {name}": (what, content) for what, name, content in malformed_inputs.tomls()}
SERVER: Final = ("--base-url", "http://127.0.0.1:1/v1", "--ready-timeout", "1", "--no-export")
COMMANDS: Final = {
    "suite": ("run", *SERVER, "--suite"),
    "config": ("run", *SERVER, "--config"),
    "plan": ("bench", "speculative", "--preflight-only", "--draft", "/nowhere", "--plan"),
    "experiment": ("bench", "run", "--dry-run"),
}


@pytest.mark.parametrize("name", TRACES)
def test_a_file_of_spans_is_reported_or_refused(name: str, tmp_path: Path) -> None:
    """In every format, in 2 s of processor time and 500 MB."""
    tried = try_input(0, "trace", TRACES[name], tmp_path)
    assert not tried.fault, tried.trace


@pytest.mark.parametrize("name", TOMLS)
def test_toml_is_taken_or_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    what, content = TOMLS[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.toml").write_bytes(content)
    code = main([*COMMANDS[what], "x.toml"])
    said = capsys.readouterr()
    assert code in (ExitCode.OK, ExitCode.USAGE, ExitCode.SERVER, ExitCode.INPUT, ExitCode.WORKLOAD), said.err
    assert not CONTROLS.search(said.out + said.err)
    assert "Traceback" not in said.err
