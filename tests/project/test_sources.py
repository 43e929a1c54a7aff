"""What the project promises about its own files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from punie.trace.__main__ import build_parser

PROJECT = Path(__file__).parents[2]
OURS = [
    path
    for folder in ("src", "tests", "benchmarks", "dashboards", ".ci")
    for path in (PROJECT / folder).rglob("*")
    if path.suffix in (".py", ".sql", "") and path.is_file() and "workspace" not in path.parts
]


def test_no_file_is_longer_than_500_lines() -> None:
    assert OURS
    assert {path.name: n for path in OURS if (n := len(path.read_text().splitlines())) > 500} == {}


def test_there_is_no_package_where_others_may_own_it() -> None:
    assert not (PROJECT / "src/punie/__init__.py").exists()


def _readme_commands() -> list[str]:
    lines = (PROJECT / "README.md").read_text().splitlines()
    commands = [line.partition("#")[0].strip() for line in lines if line.startswith("punie-trace ")]
    return [*commands, *re.findall(r"`(punie-trace [^`]+)`", "\n".join(lines))]


@pytest.mark.parametrize("command", [c for c in _readme_commands() if c.split()[1] != "VERB"])
def test_every_command_of_the_readme_is_understood(command: str) -> None:
    build_parser().parse_args(shlex.split(command)[1:])
