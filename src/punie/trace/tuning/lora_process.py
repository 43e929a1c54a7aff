"""In a process of its own: one training by `mlx_lm lora`, with its losses as it goes.

    python -m punie.trace.tuning.lora_process JOB RESULT

mlx_lm hands its losses to a callback that it chooses by `--report-to`; ours takes that place (mlx_lm 0.32). So does
our loss, which leaves out the padding.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import partial
from typing import Any

from punie.trace.bench.child import serve_job, show_step


class Losses:
    """Keeps every loss that mlx_lm reports, and says it."""

    def __init__(self, done: int, iterations: int) -> None:
        self.train: list[tuple[int, float]] = []
        self.validation: list[tuple[int, float]] = []
        self.peak_bytes = 0
        self._done = done
        self._iterations = iterations

    def on_train_loss_report(self, report: Mapping[str, Any]) -> None:
        """mlx_lm's name: the mean loss since the last report."""
        iteration = self._done + int(report["iteration"])
        self.train.append((iteration, float(report["train_loss"])))
        self.peak_bytes = max(self.peak_bytes, int(float(report["peak_memory"]) * 1e9))
        left_s = (self._iterations - iteration) / max(1e-9, float(report["iterations_per_second"]))
        show_step(f"{iteration} of {self._iterations}, loss {report['train_loss']:.3f}, {left_s:.0f} s left")

    def on_val_loss_report(self, report: Mapping[str, Any]) -> None:
        """mlx_lm's name: the loss on the validation rows."""
        self.validation.append((self._done + int(report["iteration"]), float(report["val_loss"])))


def answer_loss(model: Any, batch: Any, lengths: Any) -> tuple[Any, Any]:  # noqa: ANN401 - mlx is untyped
    """mlx_lm's `default_loss` without the padding after a row's end.

    mlx_lm counts `steps <= lengths`, so each row trains token 0 as well: a small model then says it everywhere.
    """
    import mlx.core as mx
    import mlx.nn as nn

    targets = batch[:, 1:]
    steps = mx.arange(1, targets.shape[1] + 1)
    mask = mx.logical_and(steps >= lengths[:, 0:1], steps < lengths[:, 1:])
    losses = nn.losses.cross_entropy(model(batch[:, :-1]), targets) * mask
    tokens = mask.sum()
    return losses.astype(mx.float32).sum() / tokens, tokens


def train(job: Mapping[str, Any]) -> dict[str, Any]:
    """Trains with the job's `settings` over mlx_lm's defaults; `done` iterations were made before."""
    from mlx_lm import lora

    losses = Losses(job["done"], job["done"] + job["settings"]["iters"])
    lora.train = partial(lora.train, loss=answer_loss)  # type: ignore[attr-defined] # imported there by name
    lora.get_reporting_callbacks = lambda *_, **__: losses  # type: ignore[attr-defined] # imported there by name
    show_step("loading the model")
    lora.run(types.SimpleNamespace(**{**lora.CONFIG_DEFAULTS, **job["settings"]}))
    return {"train": losses.train, "validation": losses.validation, "peak_bytes": losses.peak_bytes}


if __name__ == "__main__":
    serve_job(train)
