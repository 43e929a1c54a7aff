"""How long something will take, by what the same suite took before: nothing else is known without a start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from punie.trace.analysis.experiment.arms import Arm
from punie.trace.bench.folder import BenchFolder
from punie.trace.errors import PunieTraceError
from punie.trace.store.runs.run_folder import RunFolder
from punie.trace.units import NS_PER_S

PLACES: Final = (Path("runs"), Path("benches"), Path("improvements"))


@dataclass(frozen=True, slots=True)
class MeasuredStart:
    """What one arm in one server start took, start and warm-up among it; `source` is the folder that shows it."""

    arm_ns: int
    source: str


def server_name(arm: Arm) -> str:
    """What names the server of an arm in folders: an address, a command line, else its model."""
    return arm.server.base_url or arm.server.program or arm.server.model or ""


def last_seen(suite_hash: str, server: str, places: Iterable[Path] = PLACES) -> MeasuredStart | None:
    """The newest folder in `places` in which the suite was asked on `server`; None if there is none.

    `server` is the model's folder or name, a command line or a base URL.
    """
    folders = sorted((f for place in places for f in _folders(place)), key=_changed, reverse=True)
    return next((seen for folder in folders if (seen := _seen(folder, suite_hash, server))), None)


def _folders(place: Path) -> Iterator[Path]:
    """Runs and benchmarks in `place`; an improvement shows by its first stage."""
    for folder in place.iterdir() if place.is_dir() else ():
        for one in (folder, folder / "1-baseline"):
            if BenchFolder.is_at(one) or RunFolder.is_at(one):
                yield one


def _changed(folder: Path) -> float:
    return folder.stat().st_mtime


def _seen(folder: Path, suite_hash: str, server: str) -> MeasuredStart | None:
    """What can't be read shows nothing."""
    try:
        return (_of_bench if BenchFolder.is_at(folder) else _of_run)(folder, suite_hash, server)
    except PunieTraceError:
        return None


def _of_bench(folder: Path, suite_hash: str, server: str) -> MeasuredStart | None:
    bench = BenchFolder(folder)
    plan = bench.read_plan()
    settings = plan.arm(plan.baseline).server
    took = [(cell.took_ns, len(cell.arms)) for cell in bench.records() if cell.took_ns and cell.arms]
    same = plan.suite_hash == suite_hash and server in (settings.model, settings.program, settings.base_url)
    if not same or not took:
        return None
    return MeasuredStart(sum(ns for ns, _ in took) // sum(arms for _, arms in took), str(folder))


def _of_run(folder: Path, suite_hash: str, server: str) -> MeasuredStart | None:
    """From when it was planned to when its last span was written."""
    run = RunFolder.open(folder)
    if not run.plan_path.exists():
        return None
    plan = run.read_plan()
    written = [file.stat().st_mtime for file in run.spans_dir.iterdir()]
    same = plan.suite_hash == suite_hash and server in (plan.settings.base_url, *plan.server_command)
    if not same or not written:
        return None
    took_s = max(written) - datetime.fromisoformat(plan.created).timestamp()
    return (
        MeasuredStart(round(took_s / plan.settings.server_starts * NS_PER_S), str(folder))
        if took_s > 0
        else None
    )
