"""`compare` over real server starts on the demo model: the same run twice, and one whose prompts were made longer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from punie.trace.__main__ import main
from punie.trace.errors import ExitCode

LONGER = "What is dependency injection in Django, and what is dependency injection in Django? " * 12
SUITE = """name = "prompts"
version = 1

[[query]]
id = "injection"
text = "{longer}What is dependency injection in Django?"
expect = "direct"
mentions = [["inject", "depend", "a", "t", "d"]]
"""
RUNS = {"short": "", "long": LONGER}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two runs of one query, five times each; without the prompt cache, so that every prompt is read."""
    folder = tmp_path_factory.mktemp("compared")
    found = {}
    for name, longer in RUNS.items():
        suite = folder / f"{name}.toml"
        suite.write_text(SUITE.format(longer=longer))
        asked = ["--suite", str(suite), "--repeat", "5", "--cache", "off", "--no-export"]
        kept = ["--runs", str(folder / name), "-o", str(folder / f"{name}.txt")]
        assert main(["run", *asked, *kept]) == ExitCode.OK
        (found[name],) = (folder / name).iterdir()
    return found


def _compared(tmp_path: Path, a: Path, b: Path, *gate: str, code: ExitCode = ExitCode.OK) -> dict[str, Any]:
    out = tmp_path / "compared.json"
    assert main(["compare", str(a), str(b), "-o", str(out), "--force", *gate]) == code
    return dict(json.loads(out.read_text()))


def test_a_run_against_itself_has_no_difference(runs: dict[str, Path], tmp_path: Path) -> None:
    found = _compared(tmp_path, runs["short"], runs["short"], "--fail-above", "0%", "--and", "0")
    assert found["outcome"] == "no difference beyond noise"
    assert {change["difference_ns"] for change in found["changes"]} == {0}
    assert {fact["likeness"] for fact in found["comparability"]} == {"same"}


def test_longer_prompts_are_named_and_prefill_is_what_grew(runs: dict[str, Path], tmp_path: Path) -> None:
    found = _compared(tmp_path, runs["short"], runs["long"])
    differing = {fact["name"] for fact in found["comparability"] if fact["likeness"] == "differs"}
    assert differing == {"suite hash"}
    prefill = next(change for change in found["changes"] if change["name"] == "prefill")
    assert prefill["outcome"] == "slower"
    assert prefill["ratio"] > 1.5
    assert any("start-to-start noise is not covered" in caveat for caveat in found["caveats"])
    work = {count["name"]: count["b"] / count["a"] for count in found["work"] if count["a"]}
    assert work["input tokens"] > 1.5
