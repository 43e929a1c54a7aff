"""`run`: start a server, ask a suite of queries through an agent, and say where the time went."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.commands.options import add_judgement, add_output, add_server, whole_number

if TYPE_CHECKING:
    import argparse

HELP: Final = "ask a suite of queries on a real server and say where the time went"
DESCRIPTION: Final = (
    "Starts mlx_lm.server (or attaches to --base-url), asks every query of a suite through a PydanticAI agent, "
    "keeps every step as a span in a run folder, and ends with the ledger and its verdicts. "
    "Without --model it uses the demo model, which proves the plumbing and nothing about quality."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `run`."""
    _add_server(parser)
    _add_workload(parser)
    _add_spans(parser)
    add_judgement(parser)
    add_output(parser)


def execute(options: argparse.Namespace) -> int:
    """Run the suite; returns the gates' exit code."""
    from punie.trace.commands.running import run_suite

    return run_suite(options)


def _add_server(parser: argparse.ArgumentParser) -> None:
    group = add_server(parser, port=0)
    group.add_argument(
        "--base-url", metavar="URL", help="attach to an OpenAI-compatible server instead of starting one"
    )


def _add_workload(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("workload")
    group.add_argument(
        "--suite", type=Path, metavar="FILE", help="a suite of queries (default: discrimination)"
    )
    group.add_argument("--agent", metavar="MODULE:ATTRIBUTE", help="your own PydanticAI agent")
    group.add_argument("--workspace", type=Path, metavar="DIR", help="what the default agent's tools see")
    group.add_argument("--repeat", type=whole_number(1), default=1, metavar="N", help="passes over the suite")
    group.add_argument("--starts", type=whole_number(1), default=1, metavar="N", help="server starts")
    group.add_argument(
        "--turns",
        type=Path,
        metavar="DIR",
        help="ask in turns with another run that names the same folder, for compare",
    )
    group.add_argument("--seed", type=int, default=0, help="shuffles the order (default: %(default)s)")
    group.add_argument("--no-stream", action="store_true", help="ask for whole answers instead of a stream")
    group.add_argument(
        "--query-timeout",
        type=whole_number(1),
        default=300,
        metavar="S",
        help="seconds for one query (default: 300)",
    )


def _add_spans(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("spans")
    group.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where run folders go")
    group.add_argument(
        "--otlp",
        metavar="URL",
        help="send spans here, e.g. http://127.0.0.1:4318 (default: a Collector on this machine, if one listens)",
    )
    group.add_argument(
        "--no-export",
        action="store_true",
        help="send nothing: whoever listens, whatever the environment says",
    )
    group.add_argument(
        "--jaeger", metavar="URL", help="the page that shows waterfalls (default: http://127.0.0.1:16686)"
    )
    group.add_argument(
        "--send-content",
        action="store_true",
        help="send prompts, answers and arguments too (default: kept local)",
    )
