"""What the project promises about its own files."""

from __future__ import annotations

import ast
from pathlib import Path

PROJECT = Path(__file__).parents[2]
OURS = [
    path
    for folder in ("src", "tests", "training", "benchmarks", "dashboards", ".ci")
    for path in (PROJECT / folder).rglob("*")
    if path.suffix in (".py", ".sql", "") and path.is_file() and not {"workspace", "kept"} & set(path.parts)
]


def _longer_than(lines: int, folder: str) -> dict[str, int]:
    counts = {
        path: len(path.read_text().splitlines()) for path in OURS if path.is_relative_to(PROJECT / folder)
    }
    return {str(path.relative_to(PROJECT)): count for path, count in counts.items() if count > lines}


def test_files_can_be_read_in_one_go() -> None:
    assert len(OURS) > 500
    assert _longer_than(400, "src") == {}
    assert _longer_than(600, "") == {}


def test_every_usage_error_says_what_to_do() -> None:
    calls = [
        (path.name, node)
        for path in OURS
        if path.is_relative_to(PROJECT / "src") and path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "UsageError"
    ]
    assert len(calls) > 50
    without = [
        (name, node.lineno) for name, node in calls if "remedy" not in {one.arg for one in node.keywords}
    ]
    assert without == []


def test_there_is_no_package_where_others_may_own_it() -> None:
    assert not (PROJECT / "src/punie/__init__.py").exists()
