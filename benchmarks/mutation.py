"""How many small faults the tests notice.

    python benchmarks/mutation.py analysis/statistics --tests tests/analysis/test_statistics.py

A sample of the places where an operator, a comparison, a constant or a condition can be another is drawn by a seed.
Each fault lives in a process of its own, whose import of the module gets it; the source is not touched. A fault is
noticed if a test fails or the tests run longer than `--timeout`. One that changes nothing anybody could see counts as
missed.
"""

from __future__ import annotations

import argparse
import ast
import importlib.abc
import importlib.util
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

SOURCE: Final = Path(__file__).parents[1] / "src"
PACKAGE: Final = SOURCE / "punie" / "trace"
_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_OPERATORS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """The `number`-th place of a module that can be another."""

    path: Path
    number: int
    line: int
    what: str

    @property
    def module(self) -> str:
        """The module's dotted name."""
        return ".".join(self.path.relative_to(SOURCE).with_suffix("").parts)

    def __str__(self) -> str:
        return f"{self.path.relative_to(PACKAGE)}:{self.line}: {self.what}"


def faults_of(path: Path) -> list[Fault]:
    """Every fault that the module at `path` can be given."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [Fault(path, n, line, what) for n, (line, what, _) in enumerate(_places(tree))]


def with_fault(fault: Fault) -> CodeType:
    """The module, compiled with it."""
    tree = ast.parse(fault.path.read_text(encoding="utf-8"))
    change = next(change for n, (*_, change) in enumerate(_places(tree)) if n == fault.number)
    change()
    return compile(ast.fix_missing_locations(tree), str(fault.path), "exec")


Place = tuple[int, str, Callable[[], object]]
"""The line, what changes, and a function that changes it in the tree."""


def _places(tree: ast.Module) -> Iterator[Place]:
    for node in _executed(tree):
        if isinstance(node, ast.Compare):
            for at, operator in enumerate(node.ops):
                other = _COMPARISONS[type(operator)]()
                yield node.lineno, f"{_name(operator)} for {_name(other)}", _setter(node.ops, at, other)
        elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _OPERATORS:
            operation = _OPERATORS[type(node.op)]()
            yield node.lineno, f"{_name(node.op)} for {_name(operation)}", _attribute(node, "op", operation)
        elif isinstance(node, ast.BoolOp):
            joined = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield node.lineno, f"{_name(node.op)} for {_name(joined)}", _attribute(node, "op", joined)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield node.lineno, "no minus", _attribute(node, "op", ast.UAdd())
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            value = not node.value if isinstance(node.value, bool) else node.value + 1
            yield node.lineno, f"{node.value} for {value}", _attribute(node, "value", value)
        elif isinstance(node, ast.If | ast.IfExp | ast.While):
            yield (
                node.lineno,
                "a condition turned round",
                _attribute(node, "test", ast.UnaryOp(ast.Not(), node.test)),
            )


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """Everything but annotations, decorators and texts that stand alone."""
    skipped = {"annotation", "returns", "decorator_list", "type_params"}
    for name, value in ast.iter_fields(node):
        if name in skipped:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_typing(child):
                yield child
                yield from _executed(child)


def _is_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _name(operator: ast.AST) -> str:
    return type(operator).__name__


def _setter(items: list[ast.cmpop], at: int, value: ast.cmpop) -> Callable[[], object]:
    return lambda: items.__setitem__(at, value)


def _attribute(node: ast.AST, name: str, value: object) -> Callable[[], object]:
    return lambda: setattr(node, name, value)


class Faulty(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives a module its fault when it is imported."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        """Only that module is ours to load."""
        if fullname != self._fault.module:
            return None
        return importlib.util.spec_from_file_location(fullname, self._fault.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Run it with its fault."""
        exec(with_fault(self._fault), module.__dict__)  # noqa: S102 # that is what importing is


def noticed(fault: Fault | None, tests: Sequence[str], timeout_s: float) -> bool:
    """Whether the tests fail, or don't end in time, with `fault` (None: as the source is)."""
    child = os.fork()
    if child == 0:
        os.setsid()
        _test(fault, tests)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) != 0
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def _test(fault: Fault | None, tests: Sequence[str]) -> None:
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    if fault is not None:
        sys.meta_path.insert(0, Faulty(fault))
    try:
        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--no-header", *tests]))
    except BaseException:  # noqa: BLE001 # a fault may do anything; it was noticed
        code = 1
    os._exit(code)


def main() -> None:
    """Draw, try, print what was missed and the score."""
    options = _options()
    paths = [path for name in options.rooms for path in sorted((PACKAGE / name).rglob("*.py"))] or []
    paths += [PACKAGE / name for name in options.rooms if (PACKAGE / name).suffix == ".py"]
    faults = [fault for path in paths for fault in faults_of(path)]
    drawn = random.Random(options.seed).sample(faults, min(options.sample, len(faults)))  # noqa: S311 # no secret
    if noticed(None, options.tests, 600):
        sys.exit("the tests fail without any fault")
    missed = []
    for fault in sorted(drawn, key=str):
        if not noticed(fault, options.tests, options.timeout):
            missed.append(fault)
            print(f"missed: {fault}", flush=True)
    score = 1 - len(missed) / len(drawn)
    print(
        f"{len(drawn) - len(missed)} of {len(drawn)} noticed, {score:.1%}; {len(faults)} possible, seed {options.seed}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rooms", nargs="+", help="folders or files below src/punie/trace")
    parser.add_argument("--tests", nargs="+", required=True, help="what pytest is given")
    parser.add_argument("--sample", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=120, help="seconds for the tests of one fault")
    return parser.parse_args()


if __name__ == "__main__":
    import pytest

    main()
