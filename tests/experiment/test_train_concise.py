"""`train concise` as a user runs it, in a small form: few questions, a training of some iterations."""

from __future__ import annotations

import json
import shutil
import signal
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from punie.trace.demo.paths import draft_model_path, wordy_adapter_path
from punie.trace.errors import ExitCode

pytestmark = [pytest.mark.experiment, pytest.mark.timeout(900)]
FEW = {"uses-of-models": 2, "kinds-of-code": 1, "uses-of-constants": 1} | dict.fromkeys(
    ("topics-django", "topics-database", "topics-python", "control-choice-of-tool"), 1
)
MORE = {
    "definitions-of-methods": 3,
    "features": 3,
    "uses-of-functions": 3,
    "definitions-of-functions": 2,
    "topics-database": 3,
    "topics-security": 2,
    "topics-django": 2,
    "comparisons": 2,
    "control-nothing-found": 1,
}
SMALL = ("--tool-queries", "2", "--direct-queries", "1", "--validation-queries", "2", "--blocks", "1")


def punie(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command in `folder`."""
    command = (sys.executable, "-m", "punie.trace", *arguments)
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=800)


def interrupted(folder: Path, *arguments: str, once: Callable[[], bool]) -> subprocess.CompletedProcess[str]:
    """One command in `folder` that gets Ctrl-C `once` something is there."""
    command = (sys.executable, "-m", "punie.trace", *arguments)
    with (folder / "said").open("w+", encoding="utf-8") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
        deadline = time.monotonic() + 600
        while not once() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        code = process.wait(60)
    return subprocess.CompletedProcess(command, code, (folder / "said").read_text("utf-8"), "")


def write_suite(file: Path, families: dict[str, int]) -> None:
    """The first questions of some families of the suite that ships."""
    text = (files("punie.trace.workload") / "suites" / "workspace.toml").read_text("utf-8")
    queries: dict[str, list[dict[str, Any]]] = {}
    for query in tomllib.loads(text)["query"]:
        queries.setdefault(query["family"], []).append(query)
    chosen = [query for family, count in families.items() for query in queries[family][:count]]
    lines = ['name = "few"', "version = 1"]
    for query in chosen:
        lines += ["[[query]]", *(f"{name} = {json.dumps(value)}" for name, value in query.items())]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def only(folder: Path, pattern: str) -> Path:
    [found] = folder.glob(pattern)
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of the demo model as it ships."""
    folder = tmp_path_factory.mktemp("as-it-ships")
    write_suite(folder / "few.toml", FEW)
    made = punie(folder, "run", "--no-export", "--suite", "few.toml")
    assert made.returncode == 0, made.stderr
    return folder


def test_on_the_model_as_it_ships_there_is_nothing_to_win(runs: Path) -> None:
    run = only(runs, "runs/*")
    made = punie(runs, "train", "concise", *SMALL, "--samples", "2", "--format", "json", str(run))
    assert made.returncode == ExitCode.GATE_FAILED, made.stderr
    report = json.loads(made.stdout)
    assert (report["ending"], report["verdict"]) == ("nothing-shorter", "no")
    assert report["lint"]["served"] == {"same-tokens": report["rows"]}
    assert not list(runs.glob("trainings/*/adapters"))

    training = str(only(runs, "trainings/*"))
    shown = punie(runs, "report", training)
    assert "not surely above 10 %" in shown.stdout, shown.stderr
    decided = json.loads(punie(runs, "decide", str(run), training, "--format", "json").stdout)
    brevity = decided["steps"][-1]
    assert (brevity["name"], brevity["verdict"]) == ("brevity", "no")
    assert brevity["next_step"].startswith("Keep the model as it is")


def test_a_wordy_model_learns_to_say_less_through_an_interruption_and_past_a_bad_fuse(tmp_path: Path) -> None:
    write_suite(tmp_path / "more.toml", MORE)
    made = punie(tmp_path, "run", "--no-export", "--adapter", "demo", "--suite", "more.toml")
    assert made.returncode == 0, made.stderr
    own = {
        "messages": [
            {"role": "user", "content": "What is a cache?"},
            {"role": "assistant", "content": "A copy."},
        ]
    }
    (tmp_path / "own.jsonl").write_text(json.dumps(own) + "\n", encoding="utf-8")
    # Whether it can pay isn't asked: so few questions can't tell.
    wanted = [
        *SMALL,
        "--anyway",
        "--samples",
        "10",
        "--seeds",
        "2",
        "--examples",
        "own.jsonl",
        "--margin",
        "0.5",
    ]
    wanted += ["--iterations", "12", "--checkpoints", "2"]
    run = str(only(tmp_path, "runs/*"))

    planned = punie(tmp_path, "train", "concise", *wanted, "--dry-run", run)
    assert planned.returncode == 0, planned.stderr
    assert "trained on: " in planned.stdout
    assert not (tmp_path / "trainings").exists()

    weights = "trainings/*/adapters/seed-0/from-0000000/0000006_adapters.safetensors"
    ended = interrupted(
        tmp_path, "train", "concise", *wanted, run, once=lambda: bool(list(tmp_path.glob(weights)))
    )
    assert ended.returncode == ExitCode.INTERRUPTED, ended.stdout
    folder = only(tmp_path, "trainings/*")
    assert f"--resume trainings/{folder.name}" in ended.stdout
    # A fused model that is another one, so that it lost what the adapter had.
    shutil.copytree(draft_model_path(), folder / "fused-base-bits")

    resumed = punie(tmp_path, "train", "concise", "--anyway", "--resume", str(folder), "--format", "json")
    report = json.loads(resumed.stdout)
    # One pass tells no interval of its times, so that the verdict stays open.
    assert resumed.returncode == ExitCode.GATE_UNDECIDED, resumed.stderr
    assert (report["ending"], report["verdict"], report["seeds"]) == ("judged", "undecided", [0, 1])
    assert [one["restarts"] for one in report["losses"]] == [1, 0]
    assert {one["seed"] for one in report["checkpoints"]} == {0, 1}
    assert report["lint"]["served"] == {"same-tokens": report["rows"] - 1, "not-known": 1}
    refused = report["fused"][0]
    assert refused["name"] == "fused-base-bits"
    assert refused["lost"] or refused["tokens"] > 1.15 * refused["adapter_tokens"]
    assert report["fused"][1]["name"] == "fused-8-bits"
    base, chosen = report["judgement"]["arms"][0], report["judgement"]["chosen"]
    # The samples are drawn anew each time; 0.55 and 0.61 of the tokens were seen, with fewer samples than here.
    assert chosen["tokens"] <= 0.8 * base["tokens"]
    assert report["judgement"]["answers"]["fewer-tokens"] == "yes"
    assert report["judgement"]["answers"]["answers-kept"] != "no"
    check_outputs(folder)

    more = punie(
        tmp_path, "train", "concise", "--anyway", "--resume", str(folder), "--blocks", "2", "--format", "json"
    )
    assert json.loads(more.stdout)["judgement"]["chosen"]["times"] is not None, more.stderr
    server = tomllib.loads((folder / "config.toml").read_text("utf-8"))["server"]
    assert all(Path(server[name]).is_absolute() for name in {"model", "adapter"} & server.keys())


def check_outputs(folder: Path) -> None:
    """What a training leaves is there, for its user alone; the configuration is the base's, for nothing was won yet."""
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "data" / "train.jsonl").stat().st_mode) == 0o600
    for name in ("diary.md", "report.md", "report.html", "adapter/README.md", "adapter/adapters.safetensors"):
        assert (folder / name).is_file(), name
    server = tomllib.loads((folder / "config.toml").read_text("utf-8"))["server"]
    assert server["adapter"] == str(wordy_adapter_path())


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
