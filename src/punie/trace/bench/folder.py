"""A benchmark on disk: its plan, its preflight, one run folder for each server start, what was found of differences.

    bench.json  preflight.json  preflight-conversations/  divergences.json
    cells/0003-draft0/{run.json, spans/, server.log, cell.json}

A cell counts when `cell.json` is there: it is written last, whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from punie.trace.analysis.speculative.files import (
    decode_divergences,
    decode_plan,
    decode_preflight,
    encode,
    encode_divergences,
)
from punie.trace.analysis.speculative.model import BenchPlan, Divergence, Preflight
from punie.trace.bench.plan import Cell
from punie.trace.errors import InputError
from punie.trace.store.files.whole_file import write_whole
from punie.trace.store.runs.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class BenchFolder:
    """The folder of one benchmark."""

    path: Path

    @classmethod
    def create(cls, parent: Path, name: str) -> BenchFolder:
        """A new folder `name` in `parent`; if it exists `name-2`, and so on. Raises InputError."""
        for number in count(1):
            path = parent / (name if number == 1 else f"{name}-{number}")
            try:
                path.mkdir(parents=True)
                (path / "cells").mkdir()
            except FileExistsError:
                continue
            except OSError as error:
                raise InputError(f"{path}: can't make the folder: {error.strerror or error}") from error
            return cls(path)
        raise AssertionError("unreachable: the numbers don't end")

    @classmethod
    def open(cls, path: Path) -> BenchFolder:
        """The benchmark at `path`. Raises InputError if there is none."""
        if not is_bench_folder(path):
            raise InputError(
                f"{path}: not a benchmark: it has no bench.json",
                remedy="Give the folder that `punie-trace bench speculative` named at its beginning.",
            )
        return cls(path)

    @property
    def cells_dir(self) -> Path:
        """Where the server starts are."""
        return self.path / "cells"

    def write_plan(self, plan: BenchPlan) -> None:
        """Write `bench.json`. Raises InputError."""
        write_whole(self.path / "bench.json", encode(plan))

    def read_plan(self) -> BenchPlan:
        """What was planned. Raises InputError."""
        file = self.path / "bench.json"
        return decode_plan(_read(file), str(file))

    def write_preflight(self, preflight: Preflight) -> None:
        """Write `preflight.json`. Raises InputError."""
        write_whole(self.path / "preflight.json", encode(preflight))

    def read_preflight(self) -> Preflight | None:
        """What the preflight found; None if it did not come to its end. Raises InputError."""
        file = self.path / "preflight.json"
        return decode_preflight(_read(file), str(file)) if file.exists() else None

    def write_divergences(self, found: Iterable[Divergence]) -> None:
        """Write `divergences.json`. Raises InputError."""
        write_whole(self.path / "divergences.json", encode_divergences(tuple(found)))

    def read_divergences(self) -> tuple[Divergence, ...]:
        """The differences whose logits were looked at; empty if nobody did. Raises InputError."""
        file = self.path / "divergences.json"
        return decode_divergences(_read(file), str(file)) if file.exists() else ()

    def cell(self, cell: Cell) -> RunFolder:
        """The run folder of `cell`, whether it is there or not."""
        return RunFolder(self.cells_dir / cell.name)

    def facts(self, cell: Cell) -> dict[str, Any] | None:
        """What `cell.json` says; None if the cell isn't done. Raises InputError if it can't be read."""
        file = self.cell(cell).path / "cell.json"
        if not file.exists():
            return None
        try:
            found = json.loads(_read(file))
        except ValueError as error:
            raise InputError(f"{file}: not JSON: {error}") from error
        if not isinstance(found, dict) or "status" not in found:
            raise InputError(f"{file}: has no status")
        return found

    def finish(self, cell: Cell, facts: dict[str, Any]) -> None:
        """Write `cell.json`: from now on the cell counts. Raises InputError."""
        write_whole(self.cell(cell).path / "cell.json", json.dumps(facts, indent=2) + "\n")

    def set_aside(self, cell: Cell) -> Path | None:
        """Move what an interrupted attempt at `cell` left out of the way; None if there is nothing."""
        return self._set_aside(self.cell(cell).path)

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
        """What the machine read from swap and wrote to it while the cells ran; None if no cell tells."""
        told = [found for run in self.finished_runs() if (found := _swapped(run.path / "cell.json"))]
        return (sum(read for read, _ in told), sum(written for _, written in told)) if told else None

    def finished_runs(self) -> tuple[RunFolder, ...]:
        """The run folders of all cells that count, in order."""
        return tuple(RunFolder(file.parent) for file in sorted(self.cells_dir.glob("*/cell.json")))


def _swapped(file: Path) -> tuple[int, int] | None:
    try:
        said = json.loads(_read(file))
        return int(said["swapped_in_bytes"]), int(said["swapped_out_bytes"])
    except (ValueError, KeyError, TypeError):  # damaged, or a cell that failed: the others tell
        return None


def is_bench_folder(path: Path) -> bool:
    """Whether `path` has a benchmark's plan."""
    return (path / "bench.json").is_file()


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: can't be read: {error}") from error
