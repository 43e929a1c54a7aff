"""A benchmark of the demo pair as a user runs it: interrupted, killed, resumed, and what it says at its end."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from short_suites import write_suite

from punie.trace import semconv
from punie.trace.__main__ import main
from punie.trace.bench.folder import BenchFolder
from punie.trace.bench.plan import plan_cells, planned_queries
from punie.trace.demo.paths import draft_model_path
from punie.trace.errors import ExitCode
from punie.trace.model import SpanKind

PATIENCE_S = 250.0  # a busy machine takes ten times as long as a quiet one
BEGIN = (
    "--quick",
    "--blocks",
    "1",
    "--num-draft-tokens",
    "2",
    "--draft-cache",
    "both",
    "--benches",
    "benches",
)
# one for a tool, two whose answers the corrupted context changes
ASKED = ("user-serializer", "dependency-injection", "orm-or-sql")
UNCACHED = ("batched", "batched-aa", "draft0-k2")


def start(folder: Path, *flags: str) -> subprocess.Popen[bytes]:
    with (folder / "progress.txt").open("ab") as progress:
        return subprocess.Popen(
            [sys.executable, "-m", "punie.trace", "bench", "speculative", *flags],
            cwd=folder,
            stdout=progress,
            stderr=subprocess.STDOUT,
        )


def stop_inside_a_cell(process: subprocess.Popen[bytes], folder: Path, done: int, number: int) -> int:
    """Send signal `number` once `done` cells are written and the next one is asking; the exit code."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        cells = [path for path in folder.glob("benches/*/cells/*") if not (path / "cell.json").exists()]
        finished = len(list(folder.glob("benches/*/cells/*/cell.json")))
        if finished >= done and any(list(path.glob("spans/agent-*")) for path in cells):
            process.send_signal(number)
            break
        time.sleep(0.05)
    return process.wait(PATIENCE_S)


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> tuple[BenchFolder, list[int], str]:
    """Ctrl-C in the second server start, kill -9 in the third, resumed to the end: exit codes, what was printed."""
    folder = tmp_path_factory.mktemp("bench")
    suite = write_suite(folder / "suite.toml", *ASKED)
    codes = [stop_inside_a_cell(start(folder, *BEGIN, "--suite", suite), folder, 1, signal.SIGINT)]
    (path,) = (folder / "benches").iterdir()
    resume = ("--resume", str(path))
    codes.append(stop_inside_a_cell(start(folder, *resume), folder, 2, signal.SIGKILL))
    codes.append(start(folder, *resume).wait(PATIENCE_S))
    return BenchFolder.open(path), codes, (folder / "progress.txt").read_text()


def report(bench: BenchFolder) -> dict[str, Any]:
    return dict(json.loads((bench.path / "report.json").read_text()))


# Five server starts and a preflight, some of them twice.
pytestmark = pytest.mark.timeout(700)


def test_it_ends_as_asked_and_says_how_to_go_on(bench: tuple[BenchFolder, list[int], str]) -> None:
    folder, codes, printed = bench
    assert codes == [ExitCode.INTERRUPTED, -signal.SIGKILL, ExitCode.OK]
    assert f"--resume benches/{folder.path.name}" in printed
    assert max(map(len, (folder.path / "report.md").read_text().splitlines())) > 0
    assert "Traceback" not in printed


def test_what_was_done_was_kept_and_what_was_begun_was_done_again(
    bench: tuple[BenchFolder, list[int], str],
) -> None:
    folder = bench[0]
    cells = plan_cells(folder.read_plan())
    assert [record.status for cell in cells if (record := folder.record(cell))] == ["done"] * len(cells)
    assert sorted(path.name for path in (folder.path / "aborted").iterdir()) == [
        f"{cells[1].name}-1",
        f"{cells[2].name}-1",
    ]
    printed = bench[2]
    assert printed.count(f"[1/{len(cells)}]") == 1  # the first cell was run once


def test_every_planned_asking_is_there_once(bench: tuple[BenchFolder, list[int], str]) -> None:
    folder = bench[0]
    plan = folder.read_plan()
    asked: Counter[tuple[Any, ...]] = Counter()
    for run in folder.finished_runs():
        for span in run.load_spans().spans:
            if span.name == semconv.SPAN_QUERY:
                said = span.attributes
                asked[said[semconv.BENCH_ARM], said[semconv.QUERY_ID], said[semconv.QUERY_REPEAT]] += 1
    planned = Counter(
        (ask.arm.name, ask.planned.query_id, ask.planned.repeat)
        for cell in plan_cells(plan)
        for ask in planned_queries(plan, cell)
    )
    assert asked == planned
    assert report(folder)["missing"] == 0


def test_the_server_says_how_each_arm_was_served(bench: tuple[BenchFolder, list[int], str]) -> None:
    for cell in plan_cells(bench[0].read_plan()):
        spans = bench[0].cell(cell).load_spans().spans
        served = [span.attributes for span in spans if span.kind is SpanKind.SERVER]
        path = "batch" if cell.group.startswith("batched") else "single"
        asked = [said for said in served if semconv.SERVER_OUTPUT_TOKEN_IDS in said]
        assert {said[semconv.SERVER_PATH] for said in asked} == {path}
        cached = sum(semconv.integer(said, semconv.CACHED_TOKENS) or 0 for said in asked)
        assert (cached > 0) == (cell.cache.value == "server")
        drafted = [said for said in asked if semconv.SERVER_DRAFT_STEPS in said]
        assert len(drafted) == (len(asked) if cell.draft is not None else 0)
        for said in drafted:
            places = said[semconv.SERVER_ACCEPTED_BY_POSITION]
            assert isinstance(places, tuple | list)
            assert len(places) == 2
            assert sum(int(str(count)) for count in places) == said[semconv.SERVER_ACCEPTED_TOKENS]
        if drafted:
            assert sum(semconv.integer(said, semconv.SERVER_TOOL_CALL_STEPS) or 0 for said in drafted) > 0


def test_without_the_cache_every_arm_says_what_the_baseline_says(
    bench: tuple[BenchFolder, list[int], str],
) -> None:
    differ = {item.arm for item in bench[0].read_divergences()}
    assert not differ & set(UNCACHED)


def test_with_the_cache_the_corruption_is_caught_by_its_logits(
    bench: tuple[BenchFolder, list[int], str],
) -> None:
    found = [item for item in bench[0].read_divergences() if item.arm == "draft0-k2-cache"]
    assert found
    preflight = bench[0].read_preflight()
    assert preflight is not None
    assert preflight.logit_noise is not None
    assert all(item.logit_gap is not None for item in found)
    assert max(item.logit_gap or 0.0 for item in found) > 1.0 > 2 * preflight.logit_noise
    assert "corruption" in bench[2]


def test_a_draft_with_other_ids_stops_with_the_tokens_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draft = tmp_path / "swapped"
    shutil.copytree(draft_model_path(), draft)
    file = draft / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    first, second = [token for token, number in vocabulary.items() if number in (700, 900)]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    file.write_text(json.dumps(tokenizer))
    flags = ["--draft", str(draft), "--preflight-only", "--benches", str(tmp_path / "benches")]
    assert main(["bench", "speculative", *flags]) == ExitCode.VOCABULARY
    told = capsys.readouterr().err
    assert "(700 / 900)" in told
    assert "(900 / 700)" in told
    assert "--allow-vocab-mismatch" in told
