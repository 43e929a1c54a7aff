"""Which module of ours imports which, also inside functions, for types alone, and by a name in a text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).parents[2]
PACKAGE: Final = "punie.trace"
_NAMED: Final = re.compile(r"punie\.trace(?:\.\w+)*")
_NO_CODE: Final = frozenset({"workspace"})


@dataclass(frozen=True)
class Modules:
    """The modules below `folder`, which is the package `punie.trace` or looks like it."""

    folder: Path

    @property
    def paths(self) -> Mapping[str, Path]:
        """The file of each module, by its dotted name; a package by its `__init__`."""
        found = {}
        for path in sorted(self.folder.rglob("*.py")):
            parts = path.relative_to(self.folder).with_suffix("").parts
            if not _NO_CODE & set(parts):
                found[".".join((PACKAGE, *(part for part in parts if part != "__init__")))] = path
        return found

    def imports(self) -> dict[str, set[str]]:
        """For each module those that it names: all of a package where only the package's name stands in a text."""
        names = frozenset(self.paths)
        return {
            module: set(_targets(ast.parse(path.read_text(encoding="utf-8")), names)) - {module}
            for module, path in self.paths.items()
        }


def _targets(tree: ast.Module, names: frozenset[str]) -> Iterator[str]:
    docstrings = {id(text) for text in _docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield from (name for name in (inner if inner in names else node.module,) if name in names)
        elif isinstance(node, ast.JoinedStr):
            yield from _below(node, names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield from (name for name in _NAMED.findall(node.value) if name in names and name != PACKAGE)


def _below(text: ast.JoinedStr, names: frozenset[str]) -> Iterator[str]:
    """`f"punie.trace.commands.{verb}"` may import every module of the package."""
    first = text.values[0] if text.values else None
    if isinstance(first, ast.Constant) and str(first.value).startswith(f"{PACKAGE}."):
        prefix = str(first.value)
        yield from (name for name in names if name.startswith(prefix) and "." not in name[len(prefix) :])


def _docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        for statement in getattr(node, "body", ()) if isinstance(getattr(node, "body", ()), list) else ():
            if isinstance(statement, ast.Expr):
                yield statement.value


def circles(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """The sets of modules that import each other, by Tarjan's algorithm; a package and what is inside are two."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for target in sorted(imports.get(module, ())):
            if target not in index:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], index[target])
        if low[module] == index[module]:
            at = stack.index(module)
            found.append(sorted(stack[at:]))
            del stack[at:]

    for module in sorted(imports):
        if module not in index:
            visit(module)
    return [circle for circle in found if len(circle) > 1]


def room(module: str) -> str:
    """The room below `punie.trace` in which a module is: `store` of `punie.trace.store.otlp.reader`."""
    return [*module.split("."), ""][2]


def rooms(imports: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The same graph between rooms."""
    found: dict[str, set[str]] = {}
    for module, targets in imports.items():
        found.setdefault(room(module), set()).update(room(target) for target in targets)
    return {name: targets - {name} for name, targets in found.items()}


@cache
def ours() -> Modules:
    """The modules of this project."""
    return Modules(PROJECT / "src" / "punie" / "trace")
