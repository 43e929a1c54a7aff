"""`docs/errors.md` explains every slug with its exit code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from punie.trace.errors import ExitCode, PunieTraceError

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "errors.md"
# Nobody sees them alone: they are the reason in another error, an answer to a model, or what a tool has to hear. And
# the errors of a configuration say themselves what the field must be.
WITHOUT_A_NEXT_STEP = ("tool_answers.py", "span_folder.py", "replay.py", "cell.py")


def kinds(kind: type[PunieTraceError] = PunieTraceError) -> Iterator[type[PunieTraceError]]:
    for below in kind.__subclasses__():
        if below.__module__ != PunieTraceError.__module__:
            continue
        yield below
        yield from kinds(below)


def test_the_page_has_every_slug_with_its_exit_code() -> None:
    documented = dict(
        re.findall(r"^### ([a-z-]+)\n\nExit code (\d+)\.", PAGE.read_text(), flags=re.MULTILINE)
    )
    assert documented == {kind.slug: str(kind.exit_code.value) for kind in kinds()}


def test_the_page_names_every_exit_code() -> None:
    documented = re.findall(r"^### (\d+)$", PAGE.read_text(), flags=re.MULTILINE)
    assert documented == [str(code.value) for code in ExitCode]


def test_every_error_says_what_to_do_next() -> None:
    names = {kind.__name__ for kind in kinds() if kind.slug not in ("pipe-closed", "configuration")}
    silent = [
        f"{file.name}:{call.lineno}"
        for file in sorted((ROOT / "src").rglob("*.py"))
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in names
        if "remedy" not in {keyword.arg for keyword in call.keywords}
        if file.name not in WITHOUT_A_NEXT_STEP
    ]
    assert not silent, silent
