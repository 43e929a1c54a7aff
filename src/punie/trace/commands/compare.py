"""`compare`: is B slower than A, where, by how much, and is that more than noise?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from punie.trace.commands.options import OutputOptions
from punie.trace.errors import UsageError
from punie.trace.garbage import without_collections
from punie.trace.options import argument, flag, group
from punie.trace.units import parse_duration_ns, parse_percent

if TYPE_CHECKING:
    from punie.trace.analysis.comparison.gate import Thresholds

HELP: Final = "show whether one recorded run is slower than another, and where"
DESCRIPTION: Final = (
    "Compares two sides by phase and end to end, paired by query where both asked the same, with intervals and a "
    "permutation test. Server starts vary more than anything else: compare several, at least 4 on each side, best "
    "made in turns (A, B, A, B, ...), as `run --starts` or as several runs a side."
)
EXAMPLES: Final = (
    "compare runs/before runs/after --fail-above 5%",
    "compare --a runs/a1 runs/a2 --b runs/b1 runs/b2 -o change.md",
)


@dataclass(frozen=True, slots=True)
class SideOptions:
    """Several sources a side, in place of the positional ones."""

    a: tuple[str, ...] = flag("--a", "SOURCE", "sources of side A", nargs="+", action="extend", default=())
    b: tuple[str, ...] = flag("--b", "SOURCE", "sources of side B", nargs="+", action="extend", default=())


@dataclass(frozen=True, slots=True)
class ThresholdOptions:
    """When the exit code says that B is too slow."""

    fail_above: float | None = flag(
        "--fail-above",
        "PERCENT",
        "fail if B is slower end to end by more than this, and that is more than noise; e.g. 5%%",
        parse=partial(parse_percent, flag="--fail-above"),
    )
    and_above_ns: int | None = flag(
        "--and",
        "TIME",
        "and by more than this a query, e.g. 200ms",
        parse=partial(parse_duration_ns, flag="--and", zero=True),
        shown="any time",
    )


@dataclass(frozen=True, slots=True)
class Options:
    """What `compare` was asked for."""

    sources: tuple[str, ...] = argument("SOURCE", "A and B: whatever `report` takes", nargs="*")
    sides: SideOptions = group("several sources a side", SideOptions)
    thresholds: ThresholdOptions = group("gate", ThresholdOptions)
    output: OutputOptions = group("output", OutputOptions)


@without_collections()
def execute(options: Options) -> int:
    """Write the comparison; returns the gate's exit code."""
    from punie.trace.commands.gates import gate
    from punie.trace.commands.output import Output
    from punie.trace.report.builders.comparison import GATE, build_comparison
    from punie.trace.report.formats import Material
    from punie.trace.usecases.comparison import compare_sources

    a, b = _sides(options)
    thresholds = _thresholds(options.thresholds)
    gates = (GATE,) if thresholds else ()
    output = Output.of(options.output, (Material.VERDICTS,), gates)
    document = build_comparison(compare_sources(a, b, thresholds))
    output.write(document)
    return gate(document, gates)


def _sides(options: Options) -> tuple[tuple[str, ...], tuple[str, ...]]:
    sources, sides = options.sources, options.sides
    if sources and (sides.a or sides.b):
        raise UsageError(
            "compare takes A and B, or --a and --b, not both", remedy="write --a A1 A2 --b B1 B2"
        )
    if not sources and not (sides.a and sides.b):
        raise UsageError("compare needs two sides", remedy="write compare A B, or --a A1 A2 --b B1 B2")
    if sources and len(sources) != 2:
        raise UsageError(
            f"compare takes A and B, not {len(sources)} sources",
            remedy="write --a A1 A2 --b B1 B2 for several sources a side",
        )
    return (sources[:1], sources[1:]) if sources else (sides.a, sides.b)


def _thresholds(options: ThresholdOptions) -> Thresholds | None:
    from punie.trace.analysis.comparison.gate import Thresholds

    if options.fail_above is not None:
        return Thresholds(options.fail_above, options.and_above_ns or 0)
    if options.and_above_ns is not None:
        raise UsageError("--and needs --fail-above", remedy="write --fail-above 5% --and 200ms")
    return None
