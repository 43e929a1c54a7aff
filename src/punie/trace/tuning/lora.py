"""One training by `mlx_lm lora`: begun, gone on with after an interruption, each checkpoint an adapter of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from punie.trace.bench.child import ChildJob
from punie.trace.store import documents
from punie.trace.tuning.lora_process import LoraJob, Losses
from punie.trace.tuning.plan import LoraSettings

WEIGHTS: Final = "adapters.safetensors"
_STATE: Final = "state.safetensors"
_CONFIG: Final = "adapter_config.json"
_LOSSES: Final = "losses.json"
_LONGEST_S: Final = 24 * 3600.0
_REPORTS: Final = 30


@dataclass(frozen=True, slots=True)
class SavedAdapter:
    """A checkpoint as a folder that a server takes as an adapter."""

    seed: int
    iteration: int
    path: Path

    @property
    def name(self) -> str:
        """Its name as an arm."""
        return f"seed-{self.seed}-{self.iteration}"


@dataclass(frozen=True, slots=True)
class LoraRun:
    """The training of one seed. `base_adapter` is what the model was served with; the training goes on from it."""

    model: str
    base_adapter: str | None
    data: Path
    out: Path
    settings: LoraSettings
    seed: int

    async def execute(self, on_step: Callable[[str], None]) -> Losses:
        """All iterations, or those that are left. Raises ServerError with the end of its log."""
        if (losses_before := self.losses()) is not None:
            return losses_before
        self.out.mkdir(parents=True, exist_ok=True)
        self._collect()
        done = max(self._saved(_STATE).keys() & self._saved().keys(), default=0)
        child = ChildJob("punie.trace.tuning.lora_process", self.out / "lora", _LONGEST_S)
        state = str(self._saved(_STATE)[done]) if done else None
        losses = await child.run(LoraJob(done, state, self._settings(done)), Losses, on_step)
        self._collect()
        shutil.copyfile(self._part(done) / WEIGHTS, self.out / f"{self.settings.iters:07d}_{WEIGHTS}")
        documents.write(self.out / _LOSSES, losses)
        return losses

    def losses(self) -> Losses | None:
        """The losses of a training that came to its end; None before. Raises InputError."""
        file = self.out / _LOSSES
        return documents.read(file, Losses) if file.exists() else None

    def checkpoints(self) -> tuple[SavedAdapter, ...]:
        """What is to be judged, in the order of iterations."""
        saved = self._saved()
        return tuple(
            SavedAdapter(self.seed, iteration, self._as_adapter(iteration, saved[iteration]))
            for iteration in self.settings.judged
        )

    def _settings(self, done: int) -> dict[str, Any]:
        settings = self.settings
        made: dict[str, Any] = {
            "model": self.model,
            "data": str(self.data),
            "adapter_path": str(self._part(done)),
            "train": True,
            "mask_prompt": True,
            "seed": self.seed,
            "iters": settings.iters - done,
            "save_every": settings.save_every,
            "steps_per_eval": settings.iters,
            "steps_per_report": self._report_every(),
            "lora_parameters": self._lora_parameters(),
            "num_layers": self._num_layers(),
        }
        for name in ("batch_size", "learning_rate", "max_seq_length"):
            made[name] = getattr(settings, name)
        if resumed := self._resumed(done):
            made["resume_adapter_file"] = str(resumed)
        return made

    def _report_every(self) -> int:
        """So often that there is a report at every checkpoint: then its state is saved."""
        most = max(1, self.settings.iters // _REPORTS)
        return next(n for n in range(most, 0, -1) if self.settings.save_every % n == 0)

    def _resumed(self, done: int) -> Path | None:
        if done:
            return self._saved()[done]
        return Path(self.base_adapter) / WEIGHTS if self.base_adapter else None

    def _lora_parameters(self) -> dict[str, Any]:
        """Those of the adapter that it goes on from, whose weights fit no other."""
        if self.base_adapter:
            return dict(_base_config(self.base_adapter)["lora_parameters"])
        settings = self.settings
        return {"rank": settings.rank, "scale": settings.scale, "dropout": 0.0, "keys": list(settings.keys)}

    def _num_layers(self) -> int:
        if self.base_adapter:
            return int(_base_config(self.base_adapter)["num_layers"])
        return min(self.settings.num_layers, _layers_of(self.model))

    def _saved(self, what: str = WEIGHTS) -> dict[int, Path]:
        """Files of checkpoints by iteration, counted from the beginning."""
        files = self.out.glob(f"[0-9]*_{what}")
        return {int(file.name.partition("_")[0]): file for file in files}

    def _part(self, done: int) -> Path:
        """Where an attempt writes that goes on after `done` iterations: mlx_lm counts from 1 in each."""
        return self.out / f"from-{done:07d}"

    def _collect(self) -> None:
        """Checkpoints of all attempts under their own iteration."""
        for part in sorted(self.out.glob("from-*")):
            before = int(part.name.partition("-")[2])
            for file in part.glob("[0-9]*_*.safetensors"):
                iteration, _, what = file.name.partition("_")
                file.rename(self.out / f"{before + int(iteration):07d}_{what}")
            if (part / _CONFIG).exists():
                shutil.copyfile(part / _CONFIG, self.out / _CONFIG)

    def _as_adapter(self, iteration: int, weights: Path) -> Path:
        folder = self.out.with_name(f"{self.out.name}-{iteration:07d}")
        folder.mkdir(exist_ok=True)
        shutil.copyfile(weights, folder / WEIGHTS)
        shutil.copyfile(self.out / _CONFIG, folder / _CONFIG)
        return folder


def _base_config(adapter: str) -> dict[str, Any]:
    return documents.read(Path(adapter) / _CONFIG, dict[str, Any])


def _layers_of(model: str) -> int:
    file = Path(model) / "config.json"
    if not file.exists():  # a name, whose files mlx_lm finds
        return 16
    config = documents.read(file, dict[str, Any])
    return int(
        config.get("num_hidden_layers") or config.get("text_config", {}).get("num_hidden_layers") or 16
    )
