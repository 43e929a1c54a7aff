"""What an engine found of one part of the queries, as the part that reports show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from punie.trace.analysis.statistics.spread import Spread, spread_of_extremes
from punie.trace.analysis.summary.parts import Part
from punie.trace.analysis.summary.totals import group_totals, phase_totals
from punie.trace.model import PHASES, Phase, Provenance


@dataclass(frozen=True, slots=True)
class StateSums:
    """The traces of a part in one state: `counted`, `failed`, `warm-up` or `tree`.

    Of the counted ones: `walls` are the least wall time, the most, the two in the middle (or it twice), the 95th and
    the 99th percentile; `known` has five bits a phase, the lowest ones the first phase's.
    """

    queries: int
    root_ns: int
    walls: Sequence[int]
    phases_ns: Mapping[Phase, int]
    contested_ns: Mapping[Phase, int]
    known: int
    network_known: bool


def part_of_sums(name: str, states: Mapping[str, StateSums]) -> Part:
    """The part. Raises ValueError if its phases don't add up to its wall time."""
    counted = states.get("counted")
    wall_ns = counted.root_ns if counted else 0
    network_known = counted is not None and counted.network_known
    known = counted.known if counted else 0
    phases = phase_totals(
        counted.phases_ns if counted else {},
        counted.contested_ns if counted else {},
        {
            phase: [how for bit, how in enumerate(Provenance) if known >> (rank * len(Provenance) + bit) & 1]
            for rank, phase in enumerate(PHASES)
        },
        wall_ns=wall_ns,
        network_known=network_known,
    )
    if sum(phase.ns for phase in phases) != wall_ns:
        raise ValueError(f"the phases of {name or 'all queries'} are not their wall time")
    queries = {state: sums.queries for state, sums in states.items()}
    return Part(
        name=name,
        answers=queries.get("counted", 0),
        wall_ns=wall_ns,
        wall=_spread(counted) if counted else None,
        phases=phases,
        groups=group_totals(phases),
        network_known=network_known,
        failed=queries.get("failed", 0),
        warmup=queries.get("warm-up", 0),
        needs_tree=queries.get("tree", 0),
    )


def _spread(sums: StateSums) -> Spread:
    least, most, low, high, p95, p99 = sums.walls
    return spread_of_extremes(
        count=sums.queries, sum_ns=sums.root_ns, least=least, most=most, middle=(low, high), p95=p95, p99=p99
    )
