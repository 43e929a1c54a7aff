"""The house as its imports draw it: rooms in one direction, no circle, no code in `__init__`."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from module_graph import PACKAGE, PROJECT, Modules, circles, ours, room, rooms

IMPORTS = ours().imports()


def layers(contract: int = 0) -> dict[str, int]:
    """The level of each room, from the top: the first contract of `pyproject.toml`; the second is the analysis'."""
    tools = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]
    lines = tools["importlinter"]["contracts"][contract]["layers"]
    return {name.strip(): level for level, line in enumerate(lines) for name in line.split("|")}


@pytest.mark.parametrize("contract", [0, 1], ids=["rooms", "packages of the analysis"])
def test_the_architecture_names_every_layer(contract: int) -> None:
    chapter = (PROJECT / "ARCHITECTURE.md").read_text().partition("## Layers")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(\w+)(?:/|\.py)?`", chapter))
    assert layers(contract).keys() - named == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Neither at start, nor inside a function, nor for types alone, nor by a name in a text."""
    assert len(IMPORTS) > 300
    assert circles(IMPORTS) == []


def test_no_rooms_import_each_other_in_a_circle() -> None:
    assert circles(rooms(IMPORTS)) == []


def test_every_import_points_to_a_lower_layer() -> None:
    level = layers()
    upwards = {
        (module, target)
        for module, targets in IMPORTS.items()
        for target in targets
        if room(module) != room(target) and PACKAGE not in (module, target)
        if level[room(module)] >= level[room(target)]
    }
    assert upwards == set()


def test_no_init_file_holds_code() -> None:
    """But the package's own, which is the public interface and only imports."""
    with_code = {
        name
        for name, path in ours().paths.items()
        if path.name == "__init__.py"
        and [node for node in ast.parse(path.read_text()).body if not _is_text(node)]
        and name != PACKAGE
    }
    assert with_code == set()


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("import punie.trace.b", "punie.trace.b"),
        ("from punie.trace import b", "punie.trace.b"),
        ("from punie.trace.b import anything", "punie.trace.b"),
        ("def f():\n    from punie.trace.b import anything", "punie.trace.b"),
        ("if TYPE_CHECKING:\n    from punie.trace.b import anything", "punie.trace.b"),
        ("import_module('punie.trace.b')", "punie.trace.b"),
        ("HOOK = 'punie.trace.b:install'", "punie.trace.b"),
        ("import_module(f'punie.trace.c.{verb}')", "punie.trace.c.d"),
    ],
)
def test_every_way_to_import_is_seen(tmp_path: Path, source: str, target: str) -> None:
    (tmp_path / "a.py").write_text(source)
    (tmp_path / "b.py").write_text("import punie.trace.a")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "d.py").write_text("'punie.trace.a is only in a docstring here'\nimport punie.trace.a")
    graph = Modules(tmp_path).imports()
    assert target in graph["punie.trace.a"]
    assert circles(graph) == [sorted(["punie.trace.a", target])]
