"""`docs/errors.md` explains every slug with its exit code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from punie.trace.errors import ExitCode, PunieTraceError

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"


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
