"""A training that was interrupted ends with the weights that it would have had."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from punie.trace.demo.paths import target_model_path
from punie.trace.tuning.lora import LoraRun
from punie.trace.tuning.plan import LoraSettings

SETTINGS = LoraSettings(iters=5, checkpoints=2, num_layers=2)
ROWS = [
    {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}
    for question, answer in (
        ("What is XSS?", "A script."),
        ("What is a view?", "It answers."),
        ("Why?", "So."),
    )
]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_weights_and_losses_are_the_same_after_an_interruption(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    whole = LoraRun(str(target_model_path()), None, data, tmp_path / "whole" / "seed-3", SETTINGS, 3)
    losses = asyncio.run(whole.execute(lambda _: None))
    assert [one.iteration for one in whole.checkpoints()] == [2, 5]
    assert [iteration for iteration, _ in losses.train] == [1, 2, 3, 4, 5]

    shutil.copytree(whole.out, tmp_path / "again" / "seed-3")
    again = LoraRun(str(target_model_path()), None, data, tmp_path / "again" / "seed-3", SETTINGS, 3)
    for file in (again.out / "losses.json", *again.out.glob("000000[45]_*.safetensors")):
        file.unlink()
    resumed = asyncio.run(again.execute(lambda _: None))

    assert (losses.restarts, resumed.restarts) == (0, 1)
    assert resumed.train == losses.train
    for one, other in zip(whole.checkpoints(), again.checkpoints(), strict=True):
        assert one.name == other.name
        weights = [saved.path / "adapters.safetensors" for saved in (one, other)]
        assert weights[0].read_bytes() == weights[1].read_bytes(), one.name
