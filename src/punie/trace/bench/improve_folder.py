"""An improvement on disk: what was asked for, and one benchmark folder for each stage.

    improve.json  1-baseline/  2-screening/  3-combination/  4-confirmation/

Each stage is an ordinary benchmark: `bench.json`, and a run folder for each server start. An interrupted improvement is
run again from its beginning; cells that are done aren't, so it takes the same decisions from the same measurements.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from punie.trace.analysis.improvement.model import Stage
from punie.trace.analysis.improvement.settings import FORMAT_VERSION, ImproveSettings
from punie.trace.bench.folder import BenchFolder
from punie.trace.store import documents
from punie.trace.store.runs.owned_folder import OwnedFolder


@dataclass(frozen=True, slots=True)
class ImproveFolder(OwnedFolder):
    """The folder of one improvement."""

    what = "an improvement"
    holds = "improve.json"
    begins_with = "1-baseline"
    named = "`punie-trace improve` named at its beginning"

    def write_settings(self, settings: ImproveSettings) -> None:
        """Write `improve.json`. Raises InputError."""
        documents.write(self.path / "improve.json", settings)

    def read_settings(self) -> ImproveSettings:
        """What was asked for. Raises InputError."""
        return documents.read(self.path / "improve.json", ImproveSettings, version=FORMAT_VERSION)

    def stage(self, stage: Stage) -> BenchFolder:
        """The benchmark of a stage; its folder is made if it isn't there."""
        path = self._place(stage)
        (path / "cells").mkdir(parents=True, exist_ok=True)
        return BenchFolder(path)

    def stage_if_there(self, stage: Stage) -> BenchFolder | None:
        """The benchmark of a stage that was begun, else None."""
        folder = BenchFolder(self._place(stage))
        return folder if folder.has_plan() else None

    def _place(self, stage: Stage) -> Path:
        return self.path / f"{1 + list(Stage).index(stage)}-{stage.value}"
