"""Where there is no MLX, and where the system isn't POSIX, all else works and says what it can't."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).parents[1] / "data/recorded/frameworks/openllmetry_langgraph.jsonl"

# Stands in for an environment without these modules: importing them fails, and nobody finds them.
PRELUDE = """\
import asyncio, importlib.abc, subprocess, sys
import psutil  # its part for Linux needs `resource`, which its part for Windows doesn't
for name in {absent!r}:
    sys.modules.pop(name, None)
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in {absent!r} else found(name, *rest)
from punie.trace.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
MLX = ("mlx", "mlx_lm")
NOT_POSIX = (*MLX, "fcntl", "resource")


def run(absent: tuple[str, ...], folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRELUDE.format(absent=absent), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
    )


@pytest.mark.parametrize("absent", [MLX, NOT_POSIX], ids=["no MLX", "not POSIX"])
def test_reports_and_comparisons_are_made(absent: tuple[str, ...], tmp_path: Path) -> None:
    done = run(absent, tmp_path, "report", DATA)
    assert done.returncode == 0, done.stderr
    assert "Where the time went" in done.stdout
    assert run(absent, tmp_path, "compare", DATA, DATA).returncode in (0, 2)  # 2: the sides share answers


@pytest.mark.parametrize("verb", [("run",), ("serve",), ("bench", "speculative", "--quick")])
def test_what_needs_mlx_says_so_and_leaves_nothing_behind(verb: tuple[str, ...], tmp_path: Path) -> None:
    done = run(NOT_POSIX, tmp_path, *verb)
    assert done.returncode == 4, done.stderr
    assert "mlx-lm, which the model server is part of, isn't installed here" in done.stderr
    assert "--base-url" in done.stderr
    assert list(tmp_path.iterdir()) == []


INSTRUMENTED = """\
import asyncio, os, random, sys
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel
for name in ("register_at_fork", "pread", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK"):
    delattr(os, name)
import punie.trace
agent = Agent(TestModel(), name="example")
telemetry = punie.trace.instrument(agent, journal_dir="spans")
agent.run_sync("?")
telemetry.shutdown()
print(repr(punie.trace.read_spans("spans")))
"""


def test_an_agent_is_recorded_without_what_windows_lacks(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INSTRUMENTED], cwd=tmp_path, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    assert "spans of spans" in done.stdout


def test_asking_a_server_that_runs_needs_no_mlx(tmp_path: Path) -> None:
    done = run(
        NOT_POSIX,
        tmp_path,
        "run",
        "--base-url",
        "http://127.0.0.1:9/v1",
        "--model",
        "m",
        "--ready-timeout",
        "1",
    )
    assert done.returncode == 4, done.stderr
    assert "127.0.0.1:9" in done.stderr
    assert "mlx" not in done.stderr
