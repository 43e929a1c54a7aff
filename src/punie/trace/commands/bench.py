"""`bench`: benchmarks that finish and can be believed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from punie.trace.options import whole_number

HELP: Final = "measure what a change brings, e.g. a draft model"
DESCRIPTION: Final = (
    "Benchmarks: server starts in balanced order, every cell kept, an interval beside each figure."
)
EXAMPLES: Final = (
    "bench speculative",
    "bench speculative --model models/qwen3-30b --draft models/qwen3-0.6b --k 2,3",
)
SPECULATIVE_HELP: Final = "does a draft model make it at least 20 %% faster, losslessly?"
SPECULATIVE: Final = (
    "Measures the batched baseline (prompt cache on, as users run it), the same again for the noise, the sequential "
    "path that drafts use, and each draft at each k. A preflight of about a minute predicts the outcome first. "
    "Without --model it uses the demo pair. Interrupted, it goes on with --resume."
)
_FORMATS: Final = ("text", "json", "md")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The benchmarks, each with its flags."""
    kinds = parser.add_subparsers(dest="benchmark", required=True, metavar="BENCHMARK")
    speculative = kinds.add_parser("speculative", help=SPECULATIVE_HELP, description=SPECULATIVE)
    _add_models(speculative)
    _add_workload(speculative)
    _add_size(speculative)
    _add_judgement(speculative)
    _add_places(speculative)


def execute(options: argparse.Namespace) -> int:
    """Run the benchmark. Returns an exit code; raises PunieTraceError."""
    from punie.trace.commands.benchmarking import run_speculative

    return run_speculative(options)


def _ks(text: str) -> tuple[int, ...]:
    """An argparse type: numbers with commas between them."""
    return tuple(whole_number(1)(item) for item in text.split(","))


def _add_models(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("models")
    group.add_argument("--model", metavar="PATH", help="a folder, or ORG/NAME (default: the demo model)")
    group.add_argument("--adapter", metavar="PATH", help="a LoRA adapter for the model")
    group.add_argument(
        "--draft", action="append", metavar="PATH", help="a draft model; may be given several times"
    )
    group.add_argument("--k", type=_ks, metavar="K,K", help="tokens drafted a step (default: 2,3,5)")
    group.add_argument(
        "--draft-cache",
        choices=("off", "server", "both"),
        help="the prompt cache of the draft arms (default: off, since mlx_lm corrupts the context with it)",
    )
    group.add_argument(
        "--allow-vocab-mismatch",
        action="store_true",
        default=None,
        help="go on although some tokens of a draft have other ids",
    )
    group.add_argument(
        "--max-tokens", type=whole_number(1), metavar="N", help="of one answer (default: 1024)"
    )
    group.add_argument("--temperature", type=float, metavar="T", help="sampling temperature (default: 0)")


def _add_workload(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("workload")
    group.add_argument("--suite", metavar="FILE", help="a suite of queries (default: discrimination)")
    group.add_argument("--agent", metavar="MODULE:ATTRIBUTE", help="your own PydanticAI agent")
    group.add_argument("--workspace", metavar="DIR", help="what the default agent's tools see")
    seconds = whole_number(1)
    group.add_argument("--query-timeout", type=seconds, metavar="S", help="for one query (default: 300)")
    group.add_argument("--ready-timeout", type=seconds, metavar="S", help="for a server start (default: 600)")
    group.add_argument(
        "--preflight-timeout", type=seconds, metavar="S", help="for the preflight with loading (default: 900)"
    )


def _add_size(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("size")
    group.add_argument("--plan", type=Path, metavar="FILE", help="a TOML file with these options; flags win")
    group.add_argument(
        "--blocks", type=whole_number(1), metavar="N", help="starts of each server (default: 8)"
    )
    group.add_argument(
        "--repeats", type=whole_number(1), metavar="N", help="passes over the suite in a start (default: 1)"
    )
    group.add_argument("--quick", action="store_true", help="two blocks at k = 3: a look, not a measurement")
    group.add_argument("--seed", type=int, metavar="N", help="of the orders (default: 0)")
    group.add_argument("--preflight-only", action="store_true", help="stop after the prediction")


def _add_judgement(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("judgement")
    group.add_argument("--target", metavar="TIME", help="how long a query may take, e.g. 10s")
    group.add_argument("--max-memory", metavar="SIZE", help="what the server may use, e.g. 32GB")


def _add_places(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        "--benches", type=Path, default=Path("benches"), metavar="DIR", help="where benchmarks go"
    )
    group.add_argument(
        "--resume", type=Path, metavar="FOLDER", help="go on with a benchmark as it was planned"
    )
    group.add_argument(
        "--format", choices=_FORMATS, default="text", help="of what is printed (default: text)"
    )
