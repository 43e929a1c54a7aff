"""Every command of every page is typed as it stands there, in a folder with what its reader has.

One that can't be run here says why in the page's source: `<!-- not run, PATTERN: the reason -->` before its block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from otlp_receiver import http_receiving
from pages import PROJECT, Snippet, snippets, typed
from reader import Reader, furnish, stand_ins

from punie.trace.errors import ExitCode

pytest.importorskip("chdb")

OTHERS = re.compile(
    "docs/servers/.*--base-url", re.DOTALL
)  # test_server_pages.py runs them, each on a stub of its own
RUN = [line for line in typed() if not line.why_not_run and not OTHERS.search(f"{line.page}{line.text}")]
ENDS = (ExitCode.OK, ExitCode.GATE_UNDECIDED)  # with as little data as this


@pytest.fixture(scope="module")
def collector() -> Iterator[int]:
    with http_receiving() as found:
        yield found.port


@pytest.fixture(scope="module")
def addresses(finished: tuple[Path, str], collector: int) -> Iterator[Mapping[str, str]]:
    with stand_ins(finished[0], collector) as found:
        yield found


@pytest.fixture
def reader(
    finished: tuple[Path, str], addresses: Mapping[str, str], collector: int, tmp_path: Path
) -> Reader:
    folder, home = tmp_path / "folder", tmp_path / "home"
    furnish(folder, home, finished[0])
    for plan in snippets("toml"):
        if "[[arm]]" in plan.text:
            (folder / "plan.toml").write_text(plan.text)
    return Reader(folder, home, addresses, collector)


@pytest.mark.timeout(200)
@pytest.mark.parametrize("line", RUN, ids=lambda line: f"{line}: {line.text}"[:90])
def test_the_command_does_something(line: Snippet, reader: Reader) -> None:
    done = reader.types(line.text, timeout_s=180)
    assert done.returncode in ENDS, done.stdout[-2_000:] + done.stderr
    assert done.stdout or done.stderr, "it says nothing"
    assert "warning: " not in done.stderr


def test_what_is_not_run_is_marked_with_a_pattern_that_is_there() -> None:
    for block in snippets("sh"):
        for pattern, reason in block.not_run:
            assert re.search(pattern, re.sub(" *#.*", "", block.text), re.MULTILINE), (
                f"{block}: no line has {pattern!r}"
            )
            assert len(reason.split()) > 2


def test_most_commands_run() -> None:
    marked = [line for line in typed() if line.why_not_run]
    assert len(marked) < len(typed()) / 2, "a mark that stands for too much"
    assert {line.page.parent.name for line in RUN} >= {"tasks", "docs", "servers", PROJECT.name}
