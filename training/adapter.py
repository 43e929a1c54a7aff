"""LoRA on the attention of a network in PyTorch, under the names and with the arithmetic of `mlx_lm lora`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.network import Network

KEYS = ("q_proj", "k_proj", "v_proj", "o_proj")
RANK = 8
SCALE = 20.0
_WEIGHTS = "adapters.safetensors"


class LoraLinear(nn.Module):  # type: ignore[misc] # torch is absent where types are checked
    """A frozen layer and what is added to it: `x @ lora_a @ lora_b`, scaled. It begins as nothing."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        out, into = linear.weight.shape
        self.linear = linear
        self.lora_a = nn.Parameter(
            torch.empty(into, RANK).uniform_(-1 / math.sqrt(into), 1 / math.sqrt(into))
        )
        self.lora_b = nn.Parameter(torch.zeros(RANK, out))

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) to (…, out)."""
        added: Tensor = x @ self.lora_a @ self.lora_b
        return functional.linear(x, self.linear.weight) + SCALE * added


class AdapterOptimizer:
    """AdamW over the parameters that aren't frozen."""

    RATE = 1e-3

    def __init__(self, network: Network) -> None:
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.adam = torch.optim.AdamW(trained, lr=self.RATE, betas=(0.9, 0.98), weight_decay=0.0)

    def step(self, share: float) -> None:
        """One step at `share` of the full learning rate; gradients are cleared."""
        for group in self.adam.param_groups:
            group["lr"] = self.RATE * share
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)


def add_adapter(network: Network) -> None:
    """Freezes `network` and gives the attention of every layer its adapter."""
    network.requires_grad_(requires_grad=False)
    for layer in network.layers:
        for key in KEYS:
            setattr(layer.self_attn, key, LoraLinear(getattr(layer.self_attn, key)))


def load_adapter(network: Network, folder: Path) -> None:
    """Takes the weights of an adapter that `save_adapter` wrote."""
    weights: Any = mx.load(str(folder / _WEIGHTS))  # by name; typed as an array as well
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            parameter.data.copy_(torch.from_numpy(numpy.array(weights[f"model.{name}"])))


def save_adapter(network: Network, folder: Path) -> None:
    """Writes the adapter as `mlx_lm` loads it."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        f"model.{name}": mx.array(parameter.detach().numpy())
        for name, parameter in network.named_parameters()
        if parameter.requires_grad
    }
    mx.save_safetensors(str(folder / _WEIGHTS), weights, metadata={"format": "mlx"})
    config = {
        "fine_tune_type": "lora",
        "num_layers": len(network.layers),
        "lora_parameters": {
            "rank": RANK,
            "scale": SCALE,
            "dropout": 0.0,
            "keys": [f"self_attn.{key}" for key in KEYS],
        },
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
