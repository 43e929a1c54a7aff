"""Each file and folder that ARCHITECTURE and CONTRIBUTING name is there: a page that leads nowhere is no page."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from pages import PROJECT

PAGES = ("ARCHITECTURE.md", "CONTRIBUTING.md")
ELSEWHERE = {
    "punie/__init__.py",
    "runs/",
    "spans/",
    "cell.json",
    "bench.json",
    "config.toml",
    "server.log",
    "aborted/",
    ".shipped.json",
}
"""What other distributions may have, and what the program makes where it is used."""
FOLDERS = ("src", "tests", "docs", "dashboards", "collector", "benchmarks", "examples", "training", ".ci")
THERE = {
    f"/{path.relative_to(PROJECT)}{'/' if path.is_dir() else ''}"
    for folder in FOLDERS
    for path in (PROJECT / folder).rglob("*")
    if "__pycache__" not in path.parts
} | {f"/{path.name}{'/' if path.is_dir() else ''}" for path in PROJECT.iterdir()}


def named(text: str) -> Iterator[str]:
    """What stands in backticks and is a path by its form: with an ending that we have, or a slash at its end."""
    for quoted in re.findall(r"`([\w./-]+)`", text):
        if quoted.endswith("/") or re.search(r"\.(py|toml|md|sql|yaml|json|sh|ini)$", quoted):
            yield quoted


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_the_page_names_is_there(page: str) -> None:
    wanted = [name for name in named((PROJECT / page).read_text()) if name not in ELSEWHERE]
    assert len(wanted) > 5
    missing = [name for name in wanted if not any(path.endswith(f"/{name}") for path in THERE)]
    assert missing == []


def test_a_file_that_is_not_there_is_seen() -> None:
    assert [*named("`a/none.py`, `tests/none/`, `run --repeat`, `yes`")] == ["a/none.py", "tests/none/"]
    assert not any(path.endswith("/a/none.py") for path in THERE)
