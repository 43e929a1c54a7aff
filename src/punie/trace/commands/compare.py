"""`compare`: is B slower than A, where, by how much, and is that more than noise?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.commands.options import add_output

if TYPE_CHECKING:
    import argparse

HELP: Final = "say whether one recorded run is slower than another, and where"
DESCRIPTION: Final = (
    "Compares two sides by phase and end to end, paired by query where both asked the same, with intervals and a "
    "permutation test. Server starts vary more than anything else: compare several, at least 4 on each side, best "
    "made in turns (A, B, A, B, ...), as `run --starts` or as several runs a side."
)
EXAMPLES: Final = (
    "compare runs/before runs/after --fail-above 5%",
    "compare --a runs/a1 runs/a2 --b runs/b1 runs/b2 -o change.md",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `compare`."""
    parser.add_argument("sources", metavar="SOURCE", nargs="*", help="A and B: whatever `report` takes")
    group = parser.add_argument_group("several sources a side")
    for side in ("a", "b"):
        group.add_argument(
            f"--{side}",
            nargs="+",
            action="extend",
            default=[],
            metavar="SOURCE",
            help=f"sources that make up side {side.upper()}, in place of a positional one",
        )
    gate = parser.add_argument_group("gate")
    gate.add_argument(
        "--fail-above",
        metavar="PERCENT",
        help="fail if B is slower end to end by more than this, and that is more than noise; e.g. 5%%",
    )
    gate.add_argument(
        "--and",
        dest="and_above",
        metavar="TIME",
        help="and by more than this a query, e.g. 200ms (default: any time)",
    )
    add_output(parser)


def execute(options: argparse.Namespace) -> int:
    """Write the comparison; returns the gate's exit code."""
    from punie.trace.commands.comparing import run_comparison

    return run_comparison(options)
