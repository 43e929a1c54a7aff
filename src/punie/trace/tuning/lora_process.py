"""In a process of its own: one training by `mlx_lm lora`, with its losses as it goes.

    python -m punie.trace.tuning.lora_process JOB RESULT

mlx_lm hands its losses to a callback that it chooses by `--report-to`; ours takes that place (mlx_lm 0.32). So does
our loss, which leaves out the padding. mlx_lm saves weights alone; with the optimizer's state beside them, and batches
that go on where they were, an interrupted training ends with the weights that it would have had.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from punie.trace.bench.child import serve_job, show_step


@dataclass(frozen=True, slots=True)
class LoraJob:
    """`settings` go over mlx_lm's defaults, by its names.

    `done` iterations were made before; `state` is the file of what stood beside the weights then, None without any.
    """

    done: int
    state: str | None
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Losses:
    """The losses of one training: pairs of iteration and mean loss since the pair before. `peak_bytes`: of MLX.

    restarts: 1 where it was interrupted and went on from a checkpoint.
    """

    train: tuple[tuple[int, float], ...]
    peak_bytes: int
    restarts: int = 0


class Reports:
    """Keeps every loss that mlx_lm reports, and says it; at a checkpoint the optimizer's state is saved with them.

    `done` iterations were made before, with the losses in `train`; `state` names the file of a checkpoint.
    """

    def __init__(self, done: int, iterations: int, save_every: int, state: Callable[[int], Path]) -> None:
        self.train: list[tuple[int, float]] = []
        self.peak_bytes = 0
        self.optimizer: Any = None
        self._done = done
        self._iterations = done + iterations
        self._save_every = save_every
        self._state = state

    def on_train_loss_report(self, report: Mapping[str, Any]) -> None:
        """mlx_lm's name: the mean loss since the last report. It comes before the iteration's weights are saved."""
        iteration = self._done + int(report["iteration"])
        self.train.append((iteration, float(report["train_loss"])))
        self.peak_bytes = max(self.peak_bytes, int(float(report["peak_memory"]) * 1e9))
        if int(report["iteration"]) % self._save_every == 0:
            save_state(self._state(int(report["iteration"])), self.optimizer, self.train)
        left_s = (self._iterations - iteration) / max(1e-9, float(report["iterations_per_second"]))
        show_step(f"{iteration} of {self._iterations}, loss {report['train_loss']:.3f}, {left_s:.0f} s left")


def save_state(file: Path, optimizer: Any, losses: list[tuple[int, float]]) -> None:  # noqa: ANN401 - mlx is untyped
    """Write what a training holds beside its weights."""
    import mlx.core as mx
    from mlx.utils import tree_flatten

    mx.save_safetensors(
        str(file), dict(tree_flatten(optimizer.state)), metadata={"losses": json.dumps(losses)}
    )


def load_state(file: str, optimizer: Any) -> list[tuple[int, float]]:  # noqa: ANN401 - as above
    """Give `optimizer` the state that was saved; the losses up to there."""
    import mlx.core as mx
    from mlx.utils import tree_unflatten

    loaded: Any = mx.load(file, return_metadata=True)  # arrays and texts by name; typed as more
    arrays, about = loaded
    optimizer.state = tree_unflatten(list(arrays.items()))
    return [(iteration, loss) for iteration, loss in json.loads(about["losses"])]


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


def batches_after(done: int, batches: Callable[..., Iterator[Any]], **given: Any) -> Iterator[Any]:  # noqa: ANN401
    """mlx_lm's batches without the first `done`: with one seed they come in one order."""
    return islice(batches(**given), done, None)


def train(job: LoraJob) -> Losses:
    """Trains with the job's `settings` over mlx_lm's defaults."""
    from mlx_lm import lora
    from mlx_lm.tuner import trainer

    done, settings = job.done, job.settings
    part = Path(settings["adapter_path"])
    reports = Reports(done, settings["iters"], settings["save_every"], partial(state_file, part))

    def resumed(**given: Any) -> None:  # noqa: ANN401 - mlx_lm's
        reports.optimizer = given["optimizer"]
        if job.state:
            reports.train += load_state(job.state, given["optimizer"])
        batches = partial(batches_after, done, trainer.iterate_batches)
        trainer.train(**given, loss=answer_loss, iterate_batches=batches)

    lora.train = resumed  # type: ignore[assignment,attr-defined] # imported there by name
    lora.get_reporting_callbacks = lambda *_, **__: reports  # type: ignore[attr-defined] # imported there by name
    show_step("loading the model")
    lora.run(types.SimpleNamespace(**{**lora.CONFIG_DEFAULTS, **settings}))
    return Losses(tuple(reports.train), reports.peak_bytes, restarts=int(done > 0))


def state_file(folder: Path, iteration: int) -> Path:
    """Where the state of a checkpoint lies, beside mlx_lm's weights."""
    return folder / f"{iteration:07d}_state.safetensors"


if __name__ == "__main__":
    serve_job(train, LoraJob)
