"""Two real runs at once that share a folder for their turns: no query of one is asked during a query of the other."""

from __future__ import annotations

import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from punie.trace.__main__ import main
from punie.trace.errors import ExitCode
from punie.trace.store.runs.run_folder import RunFolder
from punie.trace.workload.turns import SharedTurns

SUITE = """name = "one"
version = 1

[[query]]
id = "injection"
text = "What is dependency injection in Django?"
expect = "direct"
mentions = [["inject", "depend", "a", "t", "d"]]
"""
REPEATS = {"before": 2, "after": 4}


def _run(folder: Path, name: str) -> subprocess.Popen[str]:
    (folder / "one.toml").write_text(SUITE)
    asked = ("--suite", str(folder / "one.toml"), "--repeat", str(REPEATS[name]), "--no-export")
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "punie.trace", "run", *asked, "--turns", str(folder / "turns")),
            *("--runs", str(folder / name), "-o", str(folder / f"{name}.json")),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )


def test_one_only_waits_while_the_other_asks_and_goes_on_when_it_has_ended(tmp_path: Path) -> None:
    runs = {name: _run(tmp_path, name) for name in REPEATS}
    said = {name: run.communicate(timeout=180)[1] for name, run in runs.items()}
    assert [run.returncode for run in runs.values()] == [0, 0], said
    spans = []
    for name, repeats in REPEATS.items():
        folder = RunFolder.open(next((tmp_path / name).iterdir()))
        assert folder.read_plan().settings.in_turns
        found = [span for span in folder.load_spans().spans if span.name in ("query", "warm-up")]
        assert len(found) == repeats + 2
        spans += [(span.start_ns, span.end_ns, name, span.name) for span in found]
    spans.sort()
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    whose = [name for _, _, name, span in spans if span == "query"]
    assert len(set(whose[:2])) == 2
    assert whose == [*whose[:2] * 2, "after", "after"]
    assert [text.count("the other run has ended") for text in said.values()] == [0, 1]
    reported_ns = (tmp_path / "before.json").stat().st_mtime_ns
    assert not any(start <= reported_ns <= end for start, end, _, _ in spans)


def test_a_third_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = [SharedTurns(tmp_path / "turns", str) for _ in range(2)]
    code = main(["run", "--turns", str(tmp_path / "turns"), "--runs", str(tmp_path), "--no-export"])
    assert code == ExitCode.WORKLOAD
    assert "two runs take turns there already" in capsys.readouterr().err
    for one in both:
        one.close()


def test_a_run_that_waits_for_the_other_can_be_ended(tmp_path: Path) -> None:
    run = _run(tmp_path, "before")
    assert run.stderr is not None
    assert any("waiting for the run that takes turns" in line for line in run.stderr)
    run.send_signal(signal.SIGTERM)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == ExitCode.INTERRUPTED
    assert "the run ended early" in said
