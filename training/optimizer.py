"""Muon for the matrices and AdamW for the rest: fewer tokens until copying works than AdamW alone.

Muon: https://kellerjordan.github.io/posts/muon/ (momentum, then the nearest orthogonal matrix as the step).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Muon:
    """Keeps one momentum a matrix; matrices of one shape are orthogonalised together."""

    def __init__(self, matrices: list[nn.Parameter], momentum: float = 0.95) -> None:
        self.groups: dict[torch.Size, list[nn.Parameter]] = {}
        for matrix in matrices:
            self.groups.setdefault(matrix.shape, []).append(matrix)
        self.momentum = momentum
        self.velocity = {shape: torch.zeros(len(group), *shape) for shape, group in self.groups.items()}

    @torch.no_grad()  # type: ignore[untyped-decorator] # torch is absent where types are checked
    def step(self, rate: float, weight_decay: float) -> None:
        """Moves every matrix by `rate` times an orthogonal matrix."""
        for shape, group in self.groups.items():
            gradients = torch.stack([m.grad if m.grad is not None else torch.zeros_like(m) for m in group])
            velocity = self.velocity[shape]
            velocity.lerp_(gradients, 1 - self.momentum)
            update = _orthogonal(gradients.lerp(velocity, self.momentum))
            scale = rate * max(1.0, shape[0] / shape[1]) ** 0.5
            for matrix, change in zip(group, update, strict=True):
                matrix.mul_(1 - rate * weight_decay).sub_(change, alpha=scale)


def _orthogonal(matrices: Tensor, steps: int = 5) -> Tensor:
    # Quintic Newton-Schulz iteration; the coefficients are those of the Muon page.
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.transpose(1, 2)
        x = a * x + (b * square + c * square @ square) @ x
    return x.transpose(1, 2) if tall else x


class Optimizer:
    """Both, with one learning rate that is a share of each one's own."""

    MUON_RATE = 0.02
    ADAM_RATE = 3e-3

    def __init__(self, network: nn.Module) -> None:
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in network.named_parameters():
            plain = parameter.dim() == 2 and "embed" not in name and not name.endswith("mlp.gate.weight")
            (matrices if plain else others).append(parameter)
        self.muon = Muon(matrices)
        self.adam = torch.optim.AdamW(others, lr=self.ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0)

    def step(self, share: float) -> None:
        """One step at `share` of the full learning rate; gradients are cleared."""
        self.muon.step(self.MUON_RATE * share, weight_decay=0.01)
        for group in self.adam.param_groups:
            group["lr"] = self.ADAM_RATE * share
        self.adam.step()
        for optimizer_matrix in (m for group in self.muon.groups.values() for m in group):
            optimizer_matrix.grad = None
        self.adam.zero_grad(set_to_none=True)
