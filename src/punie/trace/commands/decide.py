"""`decide`: what to do about the time, step by step, from a run and a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

HELP: Final = "say what to do: a draft, the target, training, or something else"
DESCRIPTION: Final = (
    "The decision as a whole, each step with its verdict: where the time goes; whether a lossless draft makes it "
    "20 % faster; whether the target is met; and only then whether to train the model to say less."
)
EXAMPLES: Final = (
    "decide runs/2026-11-23T14-05-09-demo",
    "decide runs/2026-11-23T14-05-09-demo benches/2026-11-23T15-05-09-demo",
)
_FORMATS: Final = ("text", "json", "md")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `decide`."""
    parser.add_argument(
        "run", metavar="RUN", help="what `report` takes: a run folder, a file of spans, jaeger://…"
    )
    parser.add_argument(
        "bench", metavar="BENCH", nargs="?", type=Path, help="a folder that `bench speculative` made"
    )
    group = parser.add_argument_group("judgement")
    group.add_argument(
        "--target", metavar="TIME", help="how long a query may take (default: the run's, else 10s)"
    )
    group.add_argument("--max-memory", metavar="SIZE", help="what the server's process may use, e.g. 32GB")
    group = parser.add_argument_group("output")
    group.add_argument("--format", choices=_FORMATS, help="default: guessed from -o's ending, else text")
    group.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the decision to FILE")
    group.add_argument("--force", action="store_true", help="overwrite FILE")


def execute(options: argparse.Namespace) -> int:
    """Write the decision. Raises UsageError or InputError."""
    from punie.trace.commands.deciding import conclude_decision

    return conclude_decision(options)
