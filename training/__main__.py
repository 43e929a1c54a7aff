"""Trains target and draft and converts them: one command, a seed, a folder."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from tokenizers import Tokenizer

from training.convert import quantise, write_unquantised
from training.evaluate import measure
from training.network import DRAFT, TARGET, Network, Shape
from training.resources import say
from training.tokenizer import save_tokenizer, train_tokenizer
from training.train import Budget, Progress, train


def main(arguments: list[str]) -> int:
    """Trains what was asked for and prints where it went."""
    options = _parser().parse_args(arguments)
    budget = Budget(tokens=options.tokens, minutes=options.minutes)
    if options.quick:
        budget = replace(budget, tokens=60_000, step_tokens=1_500)
    torch.set_num_threads(options.threads)
    work: Path = options.out / "work"
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(work, options.seed)
    for name, shape, share in (("target", TARGET, 1.0), ("draft", DRAFT, options.draft_share)):
        if options.only in (name, ""):
            part = replace(budget, tokens=int(budget.tokens * share), minutes=budget.minutes * share)
            _make(name, shape, tokenizer, part, options)
    return 0


def _make(name: str, shape: Shape, tokenizer: Tokenizer, budget: Budget, options: argparse.Namespace) -> None:
    work = options.out / "work"
    torch.manual_seed(options.seed)
    network = Network(shape)
    if options.resume:
        network.load_state_dict(torch.load(work / f"{name}.pt"))
    say(f"{name}: {sum(parameter.numel() for parameter in network.parameters())} parameters")
    train(
        network,
        tokenizer,
        budget,
        seed=options.seed + (1_000_000 if options.resume else 0),
        rate=options.rate,
        report=_report,
        checkpoint=work / f"{name}.pt",
    )
    write_unquantised(network, tokenizer, work / name)
    quantise(work / name, options.out / name)
    say(
        f"{name}: {measure(options.out / name, seed=options.seed, dialogues=20 if options.quick else 200).line()}"
    )
    say(f"Wrote {options.out / name}")


def _tokenizer(work: Path, seed: int) -> Tokenizer:
    """The tokenizer of an earlier call for the same folder, or a new one: target and draft must share it."""
    if (work / "tokenizer.json").exists():
        return Tokenizer.from_file(str(work / "tokenizer.json"))
    tokenizer = train_tokenizer(seed)
    save_tokenizer(tokenizer, work)
    return tokenizer


def _report(progress: Progress) -> None:
    say(f"{time.strftime('%H:%M:%S')} {progress.line()}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for target/, draft/ and work/")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=20_000_000, help="training tokens of the target")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop the target earlier than --tokens")
    parser.add_argument("--draft-share", type=float, default=0.4, help="the draft's share of the budget")
    parser.add_argument("--rate", type=float, default=1.0, help="share of the full learning rate")
    parser.add_argument("--only", choices=["target", "draft", ""], default="")
    parser.add_argument(
        "--resume", action="store_true", help="go on from the parameters in work/, with new dialogues"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--quick", action="store_true", help="a minute that shows that all steps work; learns nothing"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
