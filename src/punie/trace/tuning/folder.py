"""A training on disk. All of it may hold content: the folder is its user's alone, and nothing of it is ever sent.

training.json  rows.json  lint.json
data/train.jsonl                       what mlx_lm reads
samples/ validation/ fusing-WAY/ judgement/    experiments, each a benchmark's folder
adapters/seed-0/{adapters.safetensors, 0000100_adapters.safetensors, losses.json}
adapters/seed-0-0000100/               a checkpoint as a server takes it
fused-WAY/                             a model
adapter/ config.toml diary.md report.{html,json,md}     what it ends with
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from punie.trace.bench.folder import BenchFolder
from punie.trace.store import documents
from punie.trace.store.runs.owned_folder import OwnedFolder
from punie.trace.tuning.plan import FORMAT_VERSION, TrainingPlan

_PLAN: Final = "training.json"
_OWNER_ONLY: Final = 0o700


@dataclass(frozen=True, slots=True)
class TrainingFolder(OwnedFolder):
    """The folder of one training."""

    what = "a training"
    holds = _PLAN
    begins_with = "data"
    named = "`punie-trace train` named at its beginning"

    @classmethod
    def create(cls, parent: Path, name: str) -> Self:
        """As of every folder; nobody else may look into it."""
        made = super(TrainingFolder, cls).create(parent, name)  # slots make another class of this one
        made.path.chmod(_OWNER_ONLY)
        return made

    @property
    def data(self) -> Path:
        """What mlx_lm reads: `train.jsonl`."""
        return self.path / "data"

    def write_plan(self, plan: TrainingPlan) -> None:
        """Write `training.json`. Raises InputError."""
        documents.write(self.path / _PLAN, plan)

    def read_plan(self) -> TrainingPlan:
        """What was planned. Raises InputError."""
        return documents.read(self.path / _PLAN, TrainingPlan, version=FORMAT_VERSION)

    def experiment(self, name: str) -> BenchFolder:
        """The folder of one of its experiments, made if it isn't there."""
        path = self.path / name
        (path / "cells").mkdir(parents=True, exist_ok=True)
        return BenchFolder(path)

    def adapters(self, seed: int) -> Path:
        """What one training wrote."""
        return self.path / "adapters" / f"seed-{seed}"

    def fused(self, way: str) -> Path:
        """A fused model."""
        return self.path / f"fused-{way}"
