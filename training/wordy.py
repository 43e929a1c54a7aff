"""Trains a wordy variant of the committed target: an adapter that says the same things with more words around them.

    uv run --group train python -m training.wordy --out FOLDER --seed 7

It is for tests and examples that need a model which could say less. Answers are made longer by a fixed rule
(`wordy.toml`); tool calls stay as they are. The dialogues are those that the target was trained on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer

from punie.trace.demo.paths import target_model_path
from training.adapter import AdapterOptimizer, add_adapter, load_adapter, save_adapter
from training.resources import say
from training.shipped import shipped_network
from training.train import Budget, Telling, train
from training.wordiness import dated_prefix, wordy

STEP_TOKENS = 2_500


def main(arguments: list[str]) -> int:
    """Trains the adapter and prints where it went."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    network = shipped_network(target_model_path())
    add_adapter(network)
    if options.resume:
        load_adapter(network, options.resume)
    train(
        network,
        Tokenizer.from_file(str(target_model_path() / "tokenizer.json")),
        Budget(tokens=options.tokens, minutes=options.minutes, step_tokens=STEP_TOKENS),
        seed=options.seed,
        rate=options.rate,
        report=lambda progress: say(progress.line()),
        optimizer=AdapterOptimizer(network),
        telling=Telling(wordy, dated_prefix),
    )
    save_adapter(network, options.out)
    say(f"Wrote {options.out}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.wordy", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the adapter")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=3_000_000)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop earlier than --tokens")
    parser.add_argument("--rate", type=float, default=1.0, help="share of the full learning rate")
    parser.add_argument("--resume", type=Path, help="an adapter to go on from, with a seed of new dialogues")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
