"""Folders of benchmarks: how long something will take by them, and which of their cells count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from punie.trace.analysis.experiment.arms import Arm, ServerSettings
from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.bench.documents import CellRecord, CellStatus
from punie.trace.bench.folder import BenchFolder
from punie.trace.bench.plan import plan_cells
from punie.trace.report.builders.experiment_plan import build_experiment_plan
from punie.trace.units import NS_PER_S
from punie.trace.usecases.estimate import last_seen, server_name

ARM = Arm("baseline", ServerSettings(model="models/a"))


def plan(suite_hash: str = "same") -> ExperimentPlan:
    return ExperimentPlan(
        "b", (ARM,), "baseline", "suite", suite_hash, ("q",), blocks=4, repeats=1, seed=0, created="now"
    )


def planted(place: Path, suite_hash: str = "same") -> Path:
    """A benchmark of which two server starts are done: of 2 s and of 4 s."""
    folder = BenchFolder.create(place, f"of-{suite_hash}")
    folder.write_plan(plan(suite_hash))
    for cell, seconds in zip(plan_cells(plan()), (2, 4), strict=False):
        folder.cell(cell).path.mkdir(parents=True)
        took = CellRecord(
            CellStatus.DONE, cell.name, cell.block, arms=("baseline",), took_ns=seconds * NS_PER_S
        )
        folder.finish(cell, took)
    return folder.path


def test_the_same_suite_on_the_same_server_shows_what_an_arm_takes(tmp_path: Path) -> None:
    folder = planted(tmp_path)
    seen = last_seen("same", server_name(ARM), (tmp_path, tmp_path / "nowhere"))
    assert seen
    assert (seen.arm_ns, seen.source) == (3 * NS_PER_S, str(folder))
    text = " ".join(build_experiment_plan(plan(), (seen.arm_ns, seen.source)).lines)
    assert "about 10 s, as an arm takes 3.000 s in a server start" in text


def test_another_suite_or_server_shows_nothing(tmp_path: Path) -> None:
    planted(tmp_path, "other")
    assert last_seen("same", server_name(ARM), (tmp_path,)) is None
    assert last_seen("other", "models/b", (tmp_path,)) is None
    assert "known after the first block" in " ".join(build_experiment_plan(plan(), None).lines)


def test_what_a_plan_with_other_arms_left_is_moved_out_of_the_way(tmp_path: Path) -> None:
    folder = BenchFolder(planted(tmp_path))
    same = plan()
    folder.keep_only(plan_cells(same))
    assert len(folder.records()) == 2
    more = replace(same, arms=(ARM, replace(ARM, name="brief")))
    folder.keep_only(plan_cells(more))
    kept = {record.name for record in folder.records()}
    assert kept <= {cell.name for cell in plan_cells(more)}
    assert len(folder.records()) + len(folder.aborted_records()) == 2
    assert folder.aborted_records()
