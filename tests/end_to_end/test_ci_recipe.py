"""The recipe of the pages, as a build runs it: two revisions of somebody's repository, compared on the demo model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from punie.trace.errors import ExitCode

RECIPE = Path(__file__).parents[2] / "docs" / "tasks" / "compare_revisions.sh"
SUITE = """name = "mine"
version = 1

[[query]]
id = "injection"
text = "What is dependency injection in Django?"
expect = "direct"
mentions = [["inject"]]
"""
NOBODY = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@b",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@b",
}


@pytest.mark.slow
@pytest.mark.timeout(600)  # about 20 s where nothing else runs
def test_two_revisions_are_run_and_compared_and_leave_their_reports(tmp_path: Path) -> None:
    repository, out = tmp_path / "repository", tmp_path / "report"
    repository.mkdir()
    environment = {**os.environ, **NOBODY, "PUNIE": f"{sys.executable} -m punie.trace", "ROUNDS": "1"}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=repository, env=environment, capture_output=True, text=True, check=False, timeout=580
        )

    run("git", "init", "--quiet")
    for version in "ab":
        (repository / "suite.toml").write_text(SUITE)
        (repository / "version").write_text(version)
        run("git", "add", "-A")
        run("git", "commit", "--quiet", "-m", version)
    done = run(str(RECIPE), "HEAD~1", "HEAD", str(out), "--suite", "suite.toml")
    assert done.returncode == ExitCode.GATE_UNDECIDED, done.stderr  # one start on each side tells nothing
    assert ": undecided: " in done.stderr
    made = {path.name for path in out.iterdir()}
    assert made >= {
        "base",
        "head",
        "compare.html",
        "compare.json",
        "compare.junit.xml",
        "compare.openmetrics.txt",
    }
    assert json.loads((out / "compare.json").read_text())["schema"] == "punie.trace.comparison"
    assert "skipped" in {element.tag for element in ET.parse(out / "compare.junit.xml").iter()}  # noqa: S314 - ours
    assert "<svg" in next((out / "head").glob("*/report.html")).read_text()
    assert run("git", "worktree", "list").stdout.count("\n") == 1  # nothing is left behind
