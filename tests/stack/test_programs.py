"""Building the programs: whole or not at all, and once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import stack_programs


def _fake_go(folder: Path, script: str) -> None:
    go = folder / "go"
    go.write_text(f"#!/bin/sh\n{script}\n")
    go.chmod(0o755)


def test_a_build_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_go(tmp_path, "echo half > half; exit 3")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(subprocess.CalledProcessError):
        stack_programs.build("jaeger")
    assert stack_programs.find("jaeger") is None
    assert [path.name for path in stack_programs.cache_dir().iterdir()] == [".jaeger.lock"]


def test_what_is_built_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "module"
    (module / "cmd").mkdir(parents=True)
    (module / "go.mod").write_text("module jaeger\n")
    module.chmod(0o555)  # as Go leaves its modules
    calls = tmp_path / "calls"
    _fake_go(
        tmp_path,
        f'echo "$1" >> {calls}\n'
        f'if [ "$1" = mod ]; then echo \'{{"Dir": "{module}"}}\'; exit; fi\n'
        'while [ "$1" != -o ]; do shift; done; cp go.mod "$2"',
    )
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    built = stack_programs.build("jaeger")
    assert built == stack_programs.build("jaeger") == stack_programs.find("jaeger")
    assert calls.read_text().split() == ["mod", "build"]


def test_a_missing_program_is_named_with_what_to_do() -> None:
    assert stack_programs.find("no-such-program") is None
    assert "stack_programs.py" in stack_programs.remedy("otelcol")
    assert stack_programs.remedy("prometheus") == "apt-get install prometheus"
