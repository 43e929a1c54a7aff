"""The slow demo agent: right in every answer, slow for the reasons that were planted, quick once they are mended."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from slow_agent import copy_agent

pytestmark = [pytest.mark.experiment, pytest.mark.timeout(900)]


def report(folder: Path, *flags: str) -> dict[str, Any]:
    """What a run of the agent in `folder` ended with."""
    command = (sys.executable, "-m", "punie.trace", "run", "--no-export", "--suite", "suite.toml")
    agent = ("--agent", "agent:make_agent", "--format", "json")
    made = subprocess.run((*command, *agent, *flags), cwd=folder, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    found: dict[str, Any] = json.loads(made.stdout)
    return found


def test_every_answer_is_right_and_mending_the_lines_makes_it_quick(tmp_path: Path) -> None:
    slow = report(copy_agent(tmp_path / "slow"), "--cache", "off")
    quick = report(copy_agent(tmp_path / "quick", mended=True))
    for made in (slow, quick):
        assert made["totals"]["answers"] == 5
        assert made["verdicts"]["accuracy"]["estimate"] == 1
    assert slow["totals"]["wall_ns"] > 1.5 * quick["totals"]["wall_ns"]  # on a quiet machine more
    assert slow["totals"]["tokens"]["cached"] == 0 < quick["totals"]["tokens"]["cached"]
