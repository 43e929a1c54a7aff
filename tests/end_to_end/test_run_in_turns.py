"""Two real runs at once that share a folder for their turns: no query of one is asked during a query of the other."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from punie.trace.store.run_folder import RunFolder

SUITE = """name = "one"
version = 1

[[query]]
id = "injection"
text = "What is dependency injection in Django?"
expect = "direct"
mentions = [["inject", "depend", "a", "t", "d"]]
"""
REPEATS = 3


def test_queries_and_warm_ups_lie_beside_each_other(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(SUITE)
    asked = ["--suite", str(tmp_path / "one.toml"), "--repeat", str(REPEATS), "--no-export"]
    runs = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "punie.trace", "run", *asked, "--turns", str(tmp_path / "turns")),
                *("--runs", str(tmp_path / name), "-o", str(tmp_path / f"{name}.json")),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("before", "after")
    ]
    ends = [run.communicate(timeout=180)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], ends
    spans = []
    for name in ("before", "after"):
        folder = RunFolder.open(next((tmp_path / name).iterdir()))
        assert folder.read_plan().settings["in_turns"] == "True"
        found = [span for span in folder.load_spans().spans if span.name in ("query", "warm-up")]
        assert len(found) == REPEATS + 2
        spans += [(span.start_ns, span.end_ns, name, span.name) for span in found]
    spans.sort()
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    whose = [name for _, _, name, span in spans if span == "query"]
    assert whose == whose[:2] * REPEATS
    assert len(set(whose[:2])) == 2
