"""One run of the default suite on the demo model, for all tests that only read it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Its folder, and what it printed."""
    return make_run(tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="session")
def another_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes one more like it, where a busy machine left no run that shows what is tested."""
    return lambda: make_run(tmp_path_factory.mktemp("another"))[0]


def make_run(folder: Path) -> tuple[Path, str]:
    """A run's folder in this one, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "punie.trace", "run", "--runs", "runs", "--seed", "7", "--max-memory", "8GB"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    (run,) = (folder / "runs").iterdir()
    return run, done.stdout
