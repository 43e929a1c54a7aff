"""The networks in PyTorch, with the names and the arithmetic of `qwen3_moe` and `qwen3`.

One class serves both: with experts it is the target, without them the draft. The prefix that all dialogues
share is computed once a step (`run_prefix`) and its keys and values are handed to every row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

PrefixState = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a network; `experts` 0 makes it dense."""

    hidden: int
    layers: int
    heads: int
    head_dim: int
    wide: int
    experts: int
    active: int
    vocabulary: int
    rope_theta: float = 10_000.0
    eps: float = 1e-6

    def config(self) -> dict[str, object]:
        """What `config.json` of an `mlx_lm` model folder says."""
        common: dict[str, object] = {
            "model_type": "qwen3_moe" if self.experts else "qwen3",
            "hidden_size": self.hidden,
            "num_hidden_layers": self.layers,
            "intermediate_size": self.wide,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.heads,
            "head_dim": self.head_dim,
            "rms_norm_eps": self.eps,
            "rope_theta": self.rope_theta,
            "vocab_size": self.vocabulary,
            "max_position_embeddings": 8192,
            "tie_word_embeddings": True,
            "torch_dtype": "float32",
            "eos_token_id": 2,
        }
        if not self.experts:
            return common
        return common | {
            "num_experts": self.experts,
            "num_experts_per_tok": self.active,
            "moe_intermediate_size": self.wide,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
            "norm_topk_prob": True,
        }


# The router's rule in `mlx_lm convert` needs a hidden size that is a multiple of 64.
TARGET = Shape(hidden=192, layers=4, heads=4, head_dim=32, wide=96, experts=8, active=2, vocabulary=1536)
DRAFT = Shape(hidden=64, layers=2, heads=2, head_dim=32, wide=128, experts=0, active=0, vocabulary=1536)


class Attention(nn.Module):  # type: ignore[misc] # torch is absent where types are checked
    """Causal attention with normalised queries and keys and rotary positions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        inner = shape.heads * shape.head_dim
        self.heads, self.head_dim = shape.heads, shape.head_dim
        self.q_proj = nn.Linear(shape.hidden, inner, bias=False)
        self.k_proj = nn.Linear(shape.hidden, inner, bias=False)
        self.v_proj = nn.Linear(shape.hidden, inner, bias=False)
        self.o_proj = nn.Linear(inner, shape.hidden, bias=False)
        self.q_norm = nn.RMSNorm(shape.head_dim, shape.eps)
        self.k_norm = nn.RMSNorm(shape.head_dim, shape.eps)

    def forward(
        self,
        x: Tensor,
        angles: tuple[Tensor, Tensor],
        mask: Tensor | None,
        past: tuple[Tensor, Tensor] | None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Rows of (batch, length, hidden) to the same shape, and the keys and values of these positions."""
        batch, length, _ = x.shape
        split = (batch, length, self.heads, self.head_dim)
        q = _rotate(self.q_norm(self.q_proj(x).view(split)).transpose(1, 2), angles)
        k = _rotate(self.k_norm(self.k_proj(x).view(split)).transpose(1, 2), angles)
        v = self.v_proj(x).view(split).transpose(1, 2)
        keys, values = k, v
        if past:
            keys = torch.cat([past[0].expand(batch, -1, -1, -1), k], 2)
            values = torch.cat([past[1].expand(batch, -1, -1, -1), v], 2)
        out = functional.scaled_dot_product_attention(q, keys, values, attn_mask=mask, is_causal=mask is None)
        return self.o_proj(out.transpose(1, 2).reshape(batch, length, -1)), (k, v)


class Mlp(nn.Module):  # type: ignore[misc] # torch is absent where types are checked
    """A gated layer; one expert, or the whole of a dense block."""

    def __init__(self, hidden: int, wide: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(hidden, wide, bias=False)
        self.up_proj = nn.Linear(hidden, wide, bias=False)
        self.down_proj = nn.Linear(wide, hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(tokens, hidden) to the same shape."""
        out: Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Experts(nn.Module):  # type: ignore[misc] # torch is absent where types are checked
    """Each token goes through its best experts only; `balance` holds the loss that keeps all of them busy."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.active, self.count = shape.active, shape.experts
        self.gate = nn.Linear(shape.hidden, shape.experts, bias=False)
        self.experts = nn.ModuleList(Mlp(shape.hidden, shape.wide) for _ in range(shape.experts))
        self.balance = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        """(batch, length, hidden) to the same shape."""
        flat = x.reshape(-1, x.shape[-1])
        shares = functional.softmax(self.gate(flat), dim=-1)
        scores, chosen = shares.topk(self.active, dim=-1)
        scores = scores / scores.sum(-1, keepdim=True)
        counts = torch.bincount(chosen.flatten(), minlength=self.count)
        self.balance = self.count * (counts / counts.sum() * shares.mean(0)).sum()
        order = chosen.flatten().argsort(stable=True)
        rows = order // self.active
        parts = flat[rows].split(counts.tolist())
        done = torch.cat([expert(part) for expert, part in zip(self.experts, parts, strict=True)])
        out = torch.zeros_like(flat).index_add(0, rows, done * scores.flatten()[order, None])
        return out.view_as(x)


class Block(nn.Module):  # type: ignore[misc] # torch is absent where types are checked
    """One layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = Experts(shape) if shape.experts else Mlp(shape.hidden, shape.wide)
        self.input_layernorm = nn.RMSNorm(shape.hidden, shape.eps)
        self.post_attention_layernorm = nn.RMSNorm(shape.hidden, shape.eps)


class Network(nn.Module):  # type: ignore[misc] # torch is absent where types are checked
    """Token ids to hidden states; `logits` ties the output to the embedding."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.hidden)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.hidden, shape.eps)
        self._initialise()

    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if parameter.dim() < 2:
                continue
            deviation = 0.02 if "embed" in name else parameter.shape[1] ** -0.5
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                deviation /= math.sqrt(2 * self.shape.layers)
            nn.init.normal_(parameter, std=deviation)

    def forward(self, ids: Tensor, prefix: PrefixState | None = None) -> tuple[Tensor, PrefixState]:
        """Ids of (batch, length) to hidden states and each layer's keys and values of these positions."""
        before = prefix[0][0].shape[2] if prefix else 0
        length = ids.shape[1]
        angles = _angles(self.shape, before, length)
        mask = torch.ones(length, before + length, dtype=torch.bool).tril(before) if before else None
        x, state = self.embed_tokens(ids), []
        for number, layer in enumerate(self.layers):
            attended, kept = layer.self_attn(
                layer.input_layernorm(x), angles, mask, prefix[number] if prefix else None
            )
            x = x + attended
            x = x + layer.mlp(layer.post_attention_layernorm(x))
            state.append(kept)
        return self.norm(x), state

    def logits(self, hidden: Tensor) -> Tensor:
        """(…, hidden) to (…, vocabulary)."""
        return functional.linear(hidden, self.embed_tokens.weight)

    def run_prefix(self, ids: list[int]) -> PrefixState:
        """Keys and values of the text that every row begins with."""
        state: PrefixState = self(torch.tensor([ids]))[1]
        return state

    def balance(self) -> Tensor:
        """Mean load-balancing loss of the layers: 1 when all experts are equally busy, 0 for a dense network."""
        losses = [layer.mlp.balance for layer in self.layers if isinstance(layer.mlp, Experts)]
        return torch.stack(losses).mean() if losses else torch.zeros(())


def _angles(shape: Shape, start: int, length: int) -> tuple[Tensor, Tensor]:
    half = shape.head_dim // 2
    speeds = shape.rope_theta ** (-torch.arange(half) / half)
    turned = torch.arange(start, start + length)[:, None] * speeds[None, :]
    return turned.cos(), turned.sin()


def _rotate(x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = angles
    one, two = x.chunk(2, dim=-1)
    return torch.cat([one * cos - two * sin, two * cos + one * sin], dim=-1)
