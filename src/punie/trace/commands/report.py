"""`report`: say again where the time of a run went, from its spans alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.commands.options import Gone, add_judgement, add_output

if TYPE_CHECKING:
    import argparse

HELP: Final = "say where the time of a recorded run went"
DESCRIPTION: Final = (
    "Computes the ledger and the verdicts from spans, wherever they are. "
    "Nothing that `run` derived is read: the spans are the source of every report."
)
EXAMPLES: Final = (
    "report runs/2026-11-23T14-05-09-demo",
    "report spans.jsonl --format json --gate generation,target",
)
BY: Final = ("day", "model")  # as analysis.parts.By, which --help doesn't import


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `report`."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a run folder; a file of OTLP JSON, OTLP protobuf, Jaeger JSON (also packed with gzip or zstd) or "
        "Parquet; a folder of such files; jaeger://HOST:16686?service=NAME&lookback=1h&limit=1000; "
        "or clickhouse://USER@HOST/DB?service=NAME&since=1h&limit=1000",
    )
    parser.add_argument("--engine", action=Gone, remedy="leave it out: nothing has to be chosen any more")
    parser.add_argument(
        "--in-database",
        action="store_true",
        help="of clickhouse://…: ClickHouse adds up the ledgers of all traces that match, and only sums travel; "
        "no verdicts, no integrity, no critical path",
    )
    parser.add_argument(
        "--by",
        choices=BY,
        help="a line a day (UTC) or a model instead: queries, their mean, p50 and p95, the share of generation, "
        "seconds in each phase; also with --in-database",
    )
    add_judgement(parser)
    add_output(parser)


def execute(options: argparse.Namespace) -> int:
    """Write the report; returns the gates' exit code."""
    if options.in_database:
        from punie.trace.commands.in_database import conclude_in_database

        return conclude_in_database(options)
    if options.by:
        from punie.trace.commands.by_part import conclude_by_part

        return conclude_by_part(options)
    from punie.trace.commands.output import Output
    from punie.trace.commands.reporting import Judgement, conclude, load_source

    judgement = Judgement.of(options)
    Output.of(options)
    return conclude(load_source(options.source), judgement, options)
