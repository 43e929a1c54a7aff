"""An earlier version of this project, with the packages that its own lock file names, to run beside today's."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_REPOSITORY: Final = Path(__file__).parents[1]
_OURS: Final = ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "PYTHONPATH")  # would lead uv to another environment


class NotBuiltError(Exception):
    """Why there is no such version here."""


def python_of(commit: str) -> Path:
    """The Python of an environment that has `commit` installed, made for this Python; a second call makes nothing.

    It stays in `${XDG_CACHE_HOME:-~/.cache}/punie-trace/versions/`. Raises NotBuiltError without the history, without
    uv, and where uv can't get a package.
    """
    into = _cache_dir() / commit
    if not (into / "uv.lock").exists():
        _unpack(commit, into)
    extras = ("--extra", "duckdb", "--extra", "clickhouse")
    sync = ("sync", "--locked", "--quiet", "--no-dev", "--python", sys.executable, *extras)
    _run([sys.executable, "-m", "uv", *sync], f"{commit} wasn't built", into)
    return into / ".venv" / "bin" / "python"


def _cache_dir() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "punie-trace" / "versions"


def _unpack(commit: str, into: Path) -> None:
    archive = _run(["git", "archive", commit], f"{commit} is not in this repository's history", _REPOSITORY)
    into.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(into, filter="data")


def _run(command: Sequence[str], otherwise: str, folder: Path) -> bytes:
    environment = {name: value for name, value in os.environ.items() if name not in _OURS}
    try:
        done = subprocess.run(command, capture_output=True, check=False, cwd=folder, env=environment)
    except OSError as error:
        raise NotBuiltError(f"{otherwise}: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or [f"ended with {done.returncode}"]
        raise NotBuiltError(f"{otherwise}: {said[-1]}")
    return done.stdout
