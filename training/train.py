"""The training loop: dialogues made on the fly, loss on what the assistant writes, a limit in tokens or minutes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Protocol

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from training.dialogues import Dialogue, DialogueMaker
from training.names import NameMaker
from training.network import Network
from training.optimizer import Optimizer
from training.tokenizer import name_pieces, prefix_text, turns

IGNORED = -100
TYPICAL_TOKENS = 1000


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to train; whichever limit is reached first ends it and drives the decay of the learning rate."""

    tokens: int
    minutes: float
    step_tokens: int = 5_000

    def spent(self, tokens: int, seconds: float) -> float:
        """Share of the budget that is used up, from 0 to 1."""
        return min(1.0, max(tokens / self.tokens, seconds / 60 / self.minutes))


@dataclass(frozen=True, slots=True)
class Telling:
    """How dialogues are told: what becomes of each, and the text that all rows of a step begin with."""

    retold: Callable[[Dialogue, Random], Dialogue] = lambda dialogue, _: dialogue
    prefix: Callable[[Random], str] = lambda _: prefix_text()


class Steps(Protocol):
    """What moves the parameters: one step at a share of the full learning rate, after which gradients are cleared."""

    def step(self, share: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is."""

    step: int
    tokens: int
    seconds: float
    loss: float

    def line(self) -> str:
        """One line for a log."""
        rate = self.tokens / max(self.seconds, 1e-9)
        return f"step {self.step} tokens {self.tokens} loss {self.loss:.4f} {rate:.0f} tokens/s {self.seconds:.0f} s"


def train(
    network: Network,
    tokenizer: Tokenizer,
    budget: Budget,
    *,
    seed: int,
    report: Callable[[Progress], None],
    rate: float = 1.0,
    checkpoint: Path | None = None,
    optimizer: Steps | None = None,
    telling: Telling = Telling(),
) -> Progress:
    """Trains `network` in place at `rate` times the full learning rate; saves it to `checkpoint` every 250 steps.

    `optimizer` moves some of its parameters; without one all are trained.
    """
    torch.manual_seed(seed)
    optimizer = optimizer or Optimizer(network)
    beginning = Random(f"prefix {seed}")  # noqa: S311 # invents text, keeps no secret
    start, tokens, smooth = time.monotonic(), 0, 0.0
    for step, (ids, labels, count) in enumerate(batches(tokenizer, budget.step_tokens, seed, telling), 1):
        prefix = tokenizer.encode(telling.prefix(beginning)).ids
        loss, mean = _loss(network, prefix, ids, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step(rate * _rate_share(step, budget.spent(tokens, time.monotonic() - start)))
        tokens += count
        smooth = mean if step == 1 else 0.97 * smooth + 0.03 * mean
        progress = Progress(step, tokens, time.monotonic() - start, smooth)
        if step % 25 == 0:
            report(progress)
        if checkpoint and step % 250 == 0:
            save_weights(network, checkpoint)
        if budget.spent(tokens, progress.seconds) >= 1.0:
            break
    if checkpoint:
        save_weights(network, checkpoint)
    return progress


def save_weights(network: Network, path: Path) -> None:
    """Writes the parameters so that a reader never sees half a file."""
    partial = path.with_suffix(".partial")
    torch.save(network.state_dict(), partial)
    partial.replace(path)


def _rate_share(step: int, spent: float) -> float:
    """Warm-up over 60 steps, full until 40 % of the budget, then down to 2 % in a straight line."""
    decay = 1.0 if spent < 0.4 else 0.02 + 0.98 * (1.0 - spent) / 0.6
    return min(1.0, step / 60) * decay


def _loss(network: Network, prefix: list[int], ids: Tensor, labels: Tensor) -> tuple[Tensor, float]:
    hidden, _ = network(ids[:, :-1], network.run_prefix(prefix))
    wanted = labels[:, 1:]
    chosen = wanted != IGNORED
    # Only the assistant's tokens need the wide output layer. The divisor is fixed, so that a batch of a few
    # long rows weighs as much as it teaches.
    total = functional.cross_entropy(network.logits(hidden[chosen]), wanted[chosen], reduction="sum")
    return total / TYPICAL_TOKENS + 0.005 * network.balance(), total.item() / len(wanted[chosen])


def batches(
    tokenizer: Tokenizer, step_tokens: int, seed: int, telling: Telling = Telling()
) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Rows of similar length: ids, labels (IGNORED where the assistant doesn't write), and how many tokens count."""
    # The order has a generator of its own, so that a test can repeat the very dialogues of a seed.
    order = Random(f"order {seed}")  # noqa: S311 # an order, no secret
    dialogues = DialogueMaker(NameMaker(pieces=name_pieces(tokenizer))).stream(Random(seed))  # noqa: S311 # no secret
    told = Random(f"told {seed}")  # noqa: S311 # as above
    end_of_text = tokenizer.token_to_id("<|endoftext|>")
    while True:
        rows = sorted(
            (_encode(tokenizer, turns(telling.retold(d, told))) for d in islice(dialogues, 512)),
            key=lambda row: len(row[0]),
        )
        packed = _pack(rows, step_tokens)
        order.shuffle(packed)
        for batch in packed:
            longest = max(len(ids) for ids, _ in batch)
            ids = torch.full((len(batch), longest), end_of_text)
            labels = torch.full((len(batch), longest), IGNORED)
            for number, (row, marked) in enumerate(batch):
                ids[number, : len(row)] = torch.tensor(row)
                labels[number, : len(row)] = torch.tensor(marked)
            yield ids, labels, sum(len(row) for row, _ in batch)


def _encode(tokenizer: Tokenizer, parts: list[tuple[str, bool]]) -> tuple[list[int], list[int]]:
    ids: list[int] = []
    labels: list[int] = []
    for text, written in parts:
        piece = tokenizer.encode(text).ids
        ids += piece
        labels += piece if written else [IGNORED] * len(piece)
    return ids, labels


def _pack(
    rows: list[tuple[list[int], list[int]]], step_tokens: int
) -> list[list[tuple[list[int], list[int]]]]:
    packed: list[list[tuple[list[int], list[int]]]] = [[]]
    for row in rows:
        if packed[-1] and (len(packed[-1]) + 1) * len(row[0]) > step_tokens:
            packed.append([])
        packed[-1].append(row)
    return packed
