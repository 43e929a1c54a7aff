"""A benchmark on disk: its plan, its preflight, one run folder for each server start, what was found of differences.

    bench.json  preflight.json  preflight-conversations/  divergences.json
    cells/0003-draft0/{run.json, spans/, server.log, cell.json}

A cell counts when `cell.json` is there: it is written last, whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from punie.trace.analysis.experiment.observation import Divergence
from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.analysis.speculative.model import Preflight
from punie.trace.bench.documents import CellRecord, decode_plan, decode_preflight
from punie.trace.bench.plan import Cell
from punie.trace.errors import InputError
from punie.trace.store import documents
from punie.trace.store.runs.owned_folder import OwnedFolder
from punie.trace.store.runs.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class BenchFolder(OwnedFolder):
    """The folder of one benchmark."""

    what = "a benchmark"
    holds = "bench.json"
    begins_with = "cells"
    named = "`punie-trace bench` named at its beginning"

    @property
    def cells_dir(self) -> Path:
        """Where the server starts are."""
        return self.path / "cells"

    def has_plan(self) -> bool:
        """Whether it was planned already."""
        return self.is_at(self.path)

    def write_plan(self, plan: ExperimentPlan) -> None:
        """Write `bench.json`. Raises InputError."""
        documents.write(self.path / "bench.json", plan)

    def read_plan(self) -> ExperimentPlan:
        """What was planned. Raises InputError."""
        file = self.path / "bench.json"
        return decode_plan(documents.read_text(file), str(file))

    def write_preflight(self, preflight: Preflight) -> None:
        """Write `preflight.json`. Raises InputError."""
        documents.write(self.path / "preflight.json", preflight)

    def read_preflight(self) -> Preflight | None:
        """What the preflight found; None if it did not come to its end. Raises InputError."""
        file = self.path / "preflight.json"
        return decode_preflight(documents.read_text(file), str(file)) if file.exists() else None

    def write_divergences(self, divergences: Iterable[Divergence]) -> None:
        """Write `divergences.json`. Raises InputError."""
        documents.write(self.path / "divergences.json", tuple(divergences))

    def read_divergences(self) -> tuple[Divergence, ...]:
        """The differences whose logits were looked at; empty if nobody did. Raises InputError."""
        file = self.path / "divergences.json"
        return documents.read(file, tuple[Divergence, ...]) if file.exists() else ()

    def cell(self, cell: Cell) -> RunFolder:
        """The run folder of `cell`, whether it is there or not."""
        return RunFolder(self.cells_dir / cell.name)

    def record(self, cell: Cell) -> CellRecord | None:
        """What `cell.json` says; None if the cell isn't done. Raises InputError if it can't be read."""
        file = self.cell(cell).path / "cell.json"
        return documents.read(file, CellRecord) if file.exists() else None

    def finish(self, cell: Cell, record: CellRecord) -> None:
        """Write `cell.json`: from now on the cell counts. Raises InputError."""
        documents.write(self.cell(cell).path / "cell.json", record)

    def set_aside(self, cell: Cell) -> Path | None:
        """Move what an interrupted attempt at `cell` left out of the way; None if there is nothing."""
        return self._set_aside(self.cell(cell).path)

    def keep_only(self, cells: Iterable[Cell]) -> None:
        """Move out of the way what belongs to a plan with other arms: `cells` are all that count."""
        planned = {cell.name: (cell.block, tuple(arm.name for arm in cell.arms)) for cell in cells}
        for path in sorted(self.cells_dir.iterdir()) if self.cells_dir.is_dir() else ():
            done = _readable([path]) if (path / "cell.json").exists() else ()
            is_planned = path.name in planned
            if not is_planned or any((one.block, one.arms) != planned[path.name] for one in done):
                self._set_aside(path)

    def new_conversations(self) -> RunFolder:
        """Where the preflight's conversations go; those of an interrupted attempt are moved out of the way."""
        path = self.path / "preflight-conversations"
        self._set_aside(path)
        return RunFolder(path)

    def _set_aside(self, path: Path) -> Path | None:
        if not path.exists():
            return None
        aside = self.path / "aborted"
        aside.mkdir(exist_ok=True)
        target = next(p for n in count(1) if not (p := aside / f"{path.name}-{n}").exists())
        path.rename(target)
        return target

    def swapped_bytes(self) -> tuple[int, int] | None:
        """What the machine read from swap and wrote to it while the cells ran; None if no cell recorded it."""
        known = [
            (record.swapped_in_bytes, record.swapped_out_bytes)
            for record in self.records()
            if record.swapped_in_bytes is not None and record.swapped_out_bytes is not None
        ]
        return (sum(read for read, _ in known), sum(written for _, written in known)) if known else None

    def records(self) -> tuple[CellRecord, ...]:
        """What the cells that count say, in order; one that is damaged is left out."""
        return _readable(file.parent for file in sorted(self.cells_dir.glob("*/cell.json")))

    def aborted_records(self) -> tuple[CellRecord, ...]:
        """What finished cells say that were moved out of the way, in order."""
        return _readable(file.parent for file in sorted((self.path / "aborted").glob("*/cell.json")))

    def disturbed_blocks(self) -> frozenset[int]:
        """The blocks that were moved out of the way because the machine was disturbed."""
        return frozenset(record.block for record in self.aborted_records() if record.disturbed)

    def finished_runs(self) -> tuple[RunFolder, ...]:
        """The run folders of all cells that count, in order."""
        return tuple(RunFolder(file.parent) for file in sorted(self.cells_dir.glob("*/cell.json")))


def _readable(cells: Iterable[Path]) -> tuple[CellRecord, ...]:
    readable = []
    for path in cells:
        with suppress(InputError):  # damaged: the other cells count
            readable.append(documents.read(path / "cell.json", CellRecord))
    return tuple(readable)
