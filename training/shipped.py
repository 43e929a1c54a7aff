"""The committed target as a network in PyTorch: the weights that a server computes with, rounded to five bits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy
import torch
from mlx.utils import tree_flatten
from mlx_lm import load
from mlx_lm.utils import dequantize_model

from training.network import TARGET, Network

# mlx_lm keeps the experts of a layer in one array, PyTorch each by itself.
_EXPERTS = re.compile(r"(?P<layer>.*\.mlp)\.switch_mlp\.(?P<part>\w+)\.weight")


def shipped_network(folder: Path) -> Network:
    """The model in `folder`, whose shape is the target's."""
    network = Network(TARGET)
    network.load_state_dict(_state(folder))
    return network


def _state(folder: Path) -> dict[str, torch.Tensor]:
    model = load(str(folder))[0]
    state: dict[str, torch.Tensor] = {}
    parameters: Any = tree_flatten(
        dequantize_model(model).parameters()
    )  # pairs; typed as a dictionary as well
    for name, value in parameters:
        tensor = torch.from_numpy(numpy.array(value))
        short = name.removeprefix("model.")
        if found := _EXPERTS.fullmatch(short):
            each = {f"{found['layer']}.experts.{e}.{found['part']}.weight": w for e, w in enumerate(tensor)}
            state |= each
        else:
            state[short] = tensor
    return state
