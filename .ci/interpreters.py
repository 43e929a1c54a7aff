"""Prints every CPython that this machine has and the project supports, one path a line, the lowest first."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

PROBE = "import sys; print('%d.%d' % sys.version_info[:2], sys.implementation.name, sys._base_executable)"


def candidates() -> list[Path]:
    folders = [Path(p) for p in os.environ.get("PATH", "").split(os.pathsep) if p]
    folders += sorted((Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions").glob("*/bin"))
    return [
        p
        for folder in folders
        for p in sorted(folder.glob("python3.*"))
        if re.fullmatch(r"python3\.\d+", p.name)
    ]


def probe(path: Path) -> tuple[tuple[int, int], str] | None:
    try:
        answer = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, timeout=20)
    except OSError:
        return None
    if answer.returncode != 0:  # a version manager's shim for a version that isn't active
        return None
    version, implementation, executable = answer.stdout.split(maxsplit=2)
    major, minor = version.split(".")
    return ((int(major), int(minor)), executable.strip()) if implementation == "cpython" else None


def main() -> None:
    classifiers = tomllib.loads(Path("pyproject.toml").read_text())["project"]["classifiers"]
    supported = {
        (int(major), int(minor))
        for major, minor in re.findall(
            r"Programming Language :: Python :: (\d+)\.(\d+)", "\n".join(classifiers)
        )
    }
    found = {
        version: path for version, path in filter(None, map(probe, candidates())) if version in supported
    }
    if not found:
        sys.exit(f"no CPython of {sorted(supported)} on this machine")
    for version in sorted(found):
        print(found[version])


if __name__ == "__main__":
    main()
