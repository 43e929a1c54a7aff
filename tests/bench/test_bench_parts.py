"""The pieces of a benchmark that can be looked at alone."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from punie.trace.analysis.experiment.arms import Arm
from punie.trace.analysis.experiment.observation import Divergence
from punie.trace.bench.child import ChildJob
from punie.trace.bench.documents import CellRecord, CellStatus
from punie.trace.bench.execute import Execution
from punie.trace.bench.folder import BenchFolder
from punie.trace.bench.logit_gaps import TurnTokens, place_of
from punie.trace.bench.logits import DivergencePoint, LogitGap
from punie.trace.bench.measurements import IntegrityCount
from punie.trace.bench.options import BenchOptions
from punie.trace.bench.plan import Cell, plan_cells
from punie.trace.bench.preflight.measurements import PreflightMeasurements
from punie.trace.bench.runtime import Runtime
from punie.trace.bench.speculative_plan import make_plan
from punie.trace.console.bench_progress import BenchProgress, TimeLeft
from punie.trace.demo.paths import draft_model_path
from punie.trace.errors import InputError, ServerError
from punie.trace.machine.environment import Environment
from punie.trace.report.published.speculative import FindingCount
from punie.trace.telemetry.mlx.draft import DraftCounter, ToolCallText
from punie.trace.units import NS_PER_S, time_left_text
from punie.trace.workload.suite import default_suite


def test_tool_call_text_is_counted_apart_from_prose() -> None:
    counter = DraftCounter(2, 100, ToolCallText("<call>", "</call>"))
    # step 1: prose | step 2: the marker comes, begins in prose | step 3 and 4: in the call | step 5: prose again
    for text, from_draft in [
        *(("Hi ", True), ("you", False)),
        *(("<ca", True), ("ll>", False)),
        *(("{a", True), ("}", True), ("x", False)),
        *(("</ca", True), ("ll>", False)),
        *(("bye", False),),
    ]:
        counter.token(from_draft=from_draft, text=text)
    assert (counter.steps, counter.accepted, counter.accepted_by_position) == (5, 5, [4, 1])
    inside = counter.tool_calls
    assert (inside.steps, inside.drafted, inside.accepted) == (2, 4, 3)
    assert inside.accepted_by_position == [2, 1]
    assert (
        counter.tool_call_tokens == 5
    )  # from the token that completes the first marker to the one before the end


def test_a_child_that_takes_too_long_is_ended_and_named(tmp_path: Path) -> None:
    job = ChildJob("punie.trace.bench.preflight", tmp_path / "slow", timeout_s=0.1)  # it imports for longer
    with pytest.raises(ServerError, match=r"bench.preflight has taken more than 0\.1 s") as raised:
        asyncio.run(job.run({}, PreflightMeasurements, lambda _: None))
    assert raised.value.remedy == f"see {tmp_path / 'slow.log'}"  # of a training: no flag sets its time
    job = replace(job, timeout_flag="--preflight-timeout")
    with pytest.raises(ServerError) as raised:
        asyncio.run(job.run({}, PreflightMeasurements, lambda _: None))
    assert str(raised.value.remedy).endswith("allow more with --preflight-timeout")


def test_a_child_that_fails_is_quoted(tmp_path: Path) -> None:
    job = ChildJob("punie.trace.bench.logits", tmp_path / "broken", timeout_s=60)
    with pytest.raises(ServerError) as raised:
        asyncio.run(job.run({"model": "nowhere"}, tuple[LogitGap, ...], lambda _: None))
    assert "broken.job.json: object missing required field adapter" in raised.value.log_tail


def done_record(cell: Cell) -> CellRecord:
    return CellRecord(CellStatus.DONE, cell.name, cell.block)


def test_an_attempt_that_was_cut_off_is_moved_aside(tmp_path: Path) -> None:
    folder = BenchFolder.create(tmp_path, "b")
    cell = Cell(0, 0, "batched", (Arm("batched"),))
    assert folder.set_aside(cell) is None
    for _ in range(2):
        folder.cell(cell).spans_dir.mkdir(parents=True)
        assert folder.record(cell) is None
        folder.set_aside(cell)
    assert sorted(p.name for p in (folder.path / "aborted").iterdir()) == ["0000-batched-1", "0000-batched-2"]
    folder.cell(cell).spans_dir.mkdir(parents=True)
    folder.finish(cell, done_record(cell))
    assert folder.record(cell) == done_record(cell)
    assert [run.path.name for run in folder.finished_runs()] == ["0000-batched"]


def test_a_folder_without_a_plan_is_no_benchmark(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a benchmark"):
        BenchFolder.open(tmp_path)


def test_a_server_that_fails_twice_is_written_down_and_the_others_go_on(tmp_path: Path) -> None:
    broken = tmp_path / "draft"
    broken.mkdir()
    (broken / "config.json").write_bytes((draft_model_path() / "config.json").read_bytes())
    options = BenchOptions(draft=(str(broken),), blocks=1, k=(2,))
    planned = make_plan(options, default_suite(), "b", Environment("now", {}, {}))
    runtime = Runtime.of(planned)
    folder = BenchFolder.create(tmp_path, "b")
    done = [cell for cell in plan_cells(planned) if cell.draft is None]
    for cell in done:
        folder.cell(cell).spans_dir.mkdir(parents=True)
        folder.finish(cell, done_record(cell))
    asyncio.run(Execution(folder, runtime, BenchProgress(), None).run())
    (record,) = (record for record in folder.records() if record.status is CellStatus.FAILED)
    assert record.name.endswith("draft0")
    assert record.error
    assert len(list((folder.path / "aborted").iterdir())) == 1


@pytest.mark.parametrize("told", ["{", "[]", "{}"])
def test_a_damaged_cell_is_done_again_and_said(
    tmp_path: Path, told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os\nos._exit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # no server starts, and each says so at once
    options = BenchOptions(draft=(str(draft_model_path()),), blocks=1, k=(2,))
    planned = make_plan(options, default_suite(), "b", Environment("now", {}, {}))
    folder = BenchFolder.create(tmp_path, "b")
    for cell in plan_cells(planned):
        folder.cell(cell).spans_dir.mkdir(parents=True)
        folder.finish(cell, done_record(cell))
    (damaged,) = [cell for cell in plan_cells(planned) if cell.draft is not None]
    (folder.cell(damaged).path / "cell.json").write_text(told)
    asyncio.run(Execution(folder, Runtime.of(planned), BenchProgress(), None).run())
    (failed,) = (record for record in folder.records() if record.status is CellStatus.FAILED)
    assert failed.name == damaged.name  # begun again
    assert (folder.path / "aborted" / f"{damaged.name}-1" / "cell.json").read_text() == told
    printed = " ".join(capsys.readouterr().err.split())
    assert f"{damaged.name}/cell.json: " in printed
    assert "done again; what was there is moved to aborted/" in printed


def test_swap_is_summed_over_the_cells_that_tell_it(tmp_path: Path) -> None:
    folder = BenchFolder.create(tmp_path, "b")
    assert folder.swapped_bytes() is None
    for number, (read, written) in enumerate([(1, 20), (2, 30), (None, None)]):
        cell = Cell(number, 0, "batched", (Arm("batched"),))
        folder.cell(cell).spans_dir.mkdir(parents=True)
        folder.finish(cell, replace(done_record(cell), swapped_in_bytes=read, swapped_out_bytes=written))
    assert folder.swapped_bytes() == (3, 50)


PROMPT, SAID = (5, 6, 7), (1, 2, 3)


def difference(token: int | None = 1, expected: int | None = 2, actual: int | None = 9) -> Divergence:
    return Divergence("q", 0, "draft0-k2", 0, 0, token, expected, actual)


def test_the_place_of_a_difference_is_the_prompt_and_what_was_said_before_it() -> None:
    turns = {
        ("draft0-k2", 0, 0, "q"): (TurnTokens(PROMPT, (1, 9)),),
        ("sequential", 3, 0, "q"): (TurnTokens(PROMPT, SAID),),
    }
    assert place_of(difference(), turns) == DivergencePoint((5, 6, 7, 1), 2, 9)
    assert place_of(difference(actual=None), turns) is None
    other = {**turns, ("sequential", 3, 0, "q"): (TurnTokens((5, 6, 8), SAID),)}
    assert place_of(difference(), other) is None  # the prompt was another: the model isn't to blame


def test_the_time_left_is_known_from_what_is_done() -> None:
    arms = (Arm("a"),)
    cells = [Cell(n, n, group, arms) for n, group in enumerate(("a", "b", "a", "b"))]
    left = TimeLeft(cells)
    assert left.text() == ""
    left.done(cells[0], 10 * NS_PER_S)
    assert left.text() == "30 s left"
    left.done(cells[1], 40 * NS_PER_S)
    assert left.text() == "50 s left"
    left.done(cells[2], None)
    assert left.text(10 * NS_PER_S) == "30 s left"
    assert [time_left_text(s * NS_PER_S) for s in (0, 89, 600, 7800)] == [
        "5 s",
        "90 s",
        "10 min",
        "2 h 10 min",
    ]


def test_the_plan_on_disk_is_whole_json(tmp_path: Path) -> None:
    folder = BenchFolder.create(tmp_path, "b")
    planned = make_plan(BenchOptions(), default_suite(), "b", Environment("now", {}, {"system": "x"}))
    folder.write_plan(planned)
    assert folder.read_plan() == planned
    assert json.loads((folder.path / "bench.json").read_text())["format_version"] == 3


def test_a_finding_of_a_benchmark_is_published_with_what_to_do() -> None:
    counted = IntegrityCount("uncovered-model-call", "downgraded", 1)
    assert msgspec.convert(counted, FindingCount, from_attributes=True).remedy
