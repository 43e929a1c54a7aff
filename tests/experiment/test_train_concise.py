"""`train concise` as a user runs it, in a small form: a suite of eight queries, a training of some iterations."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from punie.trace.demo.paths import draft_model_path

pytestmark = [pytest.mark.experiment, pytest.mark.timeout(900)]
SUITE = Path(__file__).parents[1] / "data" / "few_families.toml"
FEW = (
    "--tool-queries",
    "2",
    "--direct-queries",
    "1",
    "--validation-queries",
    "2",
    "--samples",
    "2",
    "--blocks",
    "1",
)
SHORT = ("--iterations", "4", "--checkpoints", "1")


def punie(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command in `folder`."""
    command = (sys.executable, "-m", "punie.trace", *arguments)
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=800)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of the demo model as it ships."""
    folder = tmp_path_factory.mktemp("train")
    made = punie(folder, "run", "--no-export", "--suite", str(SUITE))
    assert made.returncode == 0, made.stderr
    return folder


def only(folder: Path, pattern: str) -> Path:
    [found] = folder.glob(pattern)
    return found


def test_on_the_model_as_it_ships_there_is_nothing_to_win(runs: Path) -> None:
    run = only(runs, "runs/*")
    made = punie(runs, "train", "concise", str(run), *FEW, "--trainings", "as-it-is", "--format", "json")
    assert made.returncode == 1, made.stderr
    report = json.loads(made.stdout)
    assert (report["ending"], report["verdict"]) == ("nothing-shorter", "no")
    assert report["lint"]["served"] == {"same-tokens": report["rows"]}
    assert not list(runs.glob("as-it-is/*/adapters"))


def test_a_training_is_judged_its_bad_fuse_refused_and_it_goes_on_where_it_was(runs: Path) -> None:
    run = only(runs, "runs/*")
    begun = punie(
        runs, "train", "concise", str(run), *FEW, *SHORT, "--anyway", "--trainings", "trained", "--dry-run"
    )
    assert begun.returncode == 0, begun.stderr
    assert "trained on: " in begun.stdout
    assert not (runs / "trained").exists()

    first = punie(
        runs,
        "train",
        "concise",
        str(run),
        *FEW,
        *SHORT,
        "--anyway",
        "--trainings",
        "trained",
        "--format",
        "json",
    )
    folder = only(runs, "trained/*")
    report = json.loads(first.stdout)
    assert report["ending"] == "judged"
    assert report["fused"][-1]["way"] in ("base-bits", "8-bits", "dequantized")
    assert {arm["kind"] for arm in report["judgement"]["arms"]} >= {"base", "brief", "adapter"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "data" / "train.jsonl").stat().st_mode) == 0o600
    for name in ("config.toml", "diary.md", "report.md", "adapter/README.md", "adapter/adapters.safetensors"):
        assert (folder / name).is_file(), name

    # A fused model that is another one: it lost what the adapter had, and is refused by its name.
    for old in ("fused-base-bits", "fusing-base-bits", "judgement"):
        shutil.rmtree(folder / old)
    shutil.copytree(draft_model_path(), folder / "fused-base-bits")
    again = punie(runs, "train", "concise", "--resume", str(folder), "--anyway", "--format", "json")
    fused = json.loads(again.stdout)["fused"]
    assert "iterations" not in again.stderr.split("fusing")[0].split("validation")[-1]
    assert fused[0]["name"] == "fused-base-bits"
    assert fused[0]["lost"] or fused[0]["tokens"] > 1.15 * fused[0]["adapter_tokens"]
    assert fused[1]["name"] == "fused-8-bits"


def test_runs_of_two_models_are_not_mixed(runs: Path, tmp_path: Path) -> None:
    run = only(runs, "runs/*")
    other = tmp_path / "other"
    shutil.copytree(run, other)
    plan = json.loads((other / "run.json").read_text("utf-8"))
    command = plan["server_command"]
    command[command.index("--model") + 1] = "/somewhere/else"
    (other / "run.json").write_text(json.dumps(plan), encoding="utf-8")
    made = punie(runs, "train", "concise", str(run), str(other), "--dry-run")
    assert made.returncode == 5
    assert "its model is /somewhere/else" in made.stderr
