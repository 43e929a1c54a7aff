"""What is swapped for a link between check and use is not followed out of the workspace."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from punie.trace.workload.tools.confine import RefusedError, open_inside
from punie.trace.workload.tools.opened_files import opened
from punie.trace.workload.tools.sandbox import plan_command
from punie.trace.workload.tools.tools import WorkspaceTools

SECRET = "hunter2-outside-the-project"  # noqa: S105 - a marker, not a password
HARMLESS = "harmless"
_FLIP = """
import os, sys
folder, file = sys.argv[1:]
while True:  # each name is in turn what it should be and a link out of the workspace
    for name in (folder, file):
        os.rename(name, name + ".real"); os.rename(name + ".link", name)
        os.rename(name, name + ".link"); os.rename(name + ".real", name)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """`src/notes.txt` and `notes.txt` are harmless; `src.link` and `notes.txt.link` lead to a secret outside."""
    root, outside = (tmp_path / "project").resolve(), tmp_path / "outside"
    (root / "src").mkdir(parents=True)
    outside.mkdir()
    (outside / "notes.txt").write_text(SECRET)
    for path in (root / "src" / "notes.txt", root / "notes.txt"):
        path.write_text(HARMLESS)
    (root / "src.link").symlink_to(outside)
    (root / "notes.txt.link").symlink_to(outside / "notes.txt")
    return root


def swap(path: Path) -> None:
    path.rename(path.with_name(f"{path.name}.real"))
    path.with_name(f"{path.name}.link").rename(path)


@pytest.mark.parametrize("name", ["src", "notes.txt"])
@pytest.mark.parametrize("command", ["cat {}", "grep -r h .", "grep h {}", "head {}", "tail {}", "wc {}"])
def test_what_was_swapped_after_the_check_is_not_read(root: Path, name: str, command: str) -> None:
    file = "src/notes.txt" if name == "src" else name
    plan = plan_command(command.format(file), root)
    swap(root / name)
    for batch in plan.batches:
        with opened(batch, root) as files:
            done = subprocess.run(
                [*plan.argv, *batch], cwd=files.folder, pass_fds=files.descriptors, capture_output=True
            )
            assert SECRET.encode() not in done.stdout
            assert (files.folder / file).exists() is False


@pytest.mark.parametrize("name", ["src", "notes.txt"])
def test_what_was_opened_stays_what_it_was(root: Path, name: str) -> None:
    file = "src/notes.txt" if name == "src" else name
    with opened([file], root) as files:
        swap(root / name)
        assert (files.folder / file).read_text() == HARMLESS


@pytest.fixture
def flipping(root: Path) -> Iterator[Path]:
    flipper = subprocess.Popen([sys.executable, "-c", _FLIP, str(root / "src"), str(root / "notes.txt")])
    yield root
    flipper.kill()
    flipper.wait()


def test_links_that_flip_all_the_time_lead_nowhere(flipping: Path) -> None:
    tools = WorkspaceTools(flipping)
    seen: set[str] = set()
    until_s = time.monotonic() + 3.0
    while time.monotonic() < until_s:
        for file in ("src/notes.txt", "notes.txt"):
            seen.add(tools.read_file(file))
            seen.add(tools.run_command(f"cat {file}"))
        seen.add(tools.run_command("grep -rh h ."))
    assert HARMLESS in seen
    assert not [text for text in seen if SECRET in text]


def test_links_inside_are_gone_step_by_step(root: Path) -> None:
    (root / "deep" / "er").mkdir(parents=True)
    (root / "deep" / "er" / "up.txt").symlink_to("../../src/notes.txt")
    (root / "whole").symlink_to(root / "deep")
    for text in ("whole/er/up.txt", f"{root}/whole/er/up.txt", "src/../notes.txt", "./src//notes.txt"):
        descriptor = open_inside(text, root)
        assert os.read(descriptor, 100) == HARMLESS.encode()
        os.close(descriptor)


def _open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../outside/notes.txt", "../project/notes.txt", "src/../../outside", "around"]
)
def test_links_out_and_around_are_refused(root: Path, target: str) -> None:
    (root / "around").symlink_to(target)
    before = _open_files()
    with pytest.raises(RefusedError, match="outside the project"):
        open_inside("around", root)
    assert _open_files() == before
