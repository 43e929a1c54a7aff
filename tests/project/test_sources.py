"""What the project promises about its own files."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).parents[2]
OURS = [
    path
    for folder in ("src", "tests", "training", "benchmarks", "dashboards", ".ci")
    for path in (PROJECT / folder).rglob("*")
    if path.suffix in (".py", ".sql", "") and path.is_file() and "workspace" not in path.parts
]


def test_no_file_is_longer_than_500_lines() -> None:
    assert OURS
    assert {path.name: n for path in OURS if (n := len(path.read_text().splitlines())) > 500} == {}


def test_there_is_no_package_where_others_may_own_it() -> None:
    assert not (PROJECT / "src/punie/__init__.py").exists()
