"""Server starts with planted noise and a planted change, made without a server."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from punie.trace.analysis.comparison.sides import Side, side_of
from punie.trace.analysis.records import QueryLedger, QueryRecord
from punie.trace.analysis.verdicts.assessment import QueryEvidence
from punie.trace.model import Phase

QUERY_NS = {
    Phase.DECODE: 200e6,
    Phase.PREFILL: 120e6,
    Phase.HTTP: 10e6,
    Phase.TOOL: 5e6,
    Phase.FRAMEWORK: 35e6,
}
NINE_PHASES_NS = {
    **QUERY_NS,
    Phase.QUEUE: 10e6,
    Phase.TEMPLATE: 10e6,
    Phase.SERVE: 8e6,
    Phase.PARSE: 6e6,
}


@dataclass(frozen=True, slots=True)
class Noise:
    """Log-normal noise: of the machine while a pair is made, of one server start, of one answer.

    A start makes all phases longer alike, or with `by_phase` each of nine by itself, the answers' noise too: then
    there are most claims to be wrong about.
    """

    pair: float
    start: float
    answer: float
    by_phase: bool = False

    def mean_factor(self) -> float:
        """What all this noise multiplies a long mean by."""
        return math.exp((self.pair**2 + self.start**2 + self.answer**2) / 2)


@dataclass(frozen=True, slots=True)
class Shape:
    """How many server starts on A and B, whether made as pairs in turns, and what is asked in each."""

    a: int
    b: int
    repeats: int = 3
    queries: int = 5
    in_turns: bool = False


def query_ns(query: int, phase_ns: float = 1.0) -> float:
    """What a phase takes in one query, before any noise: queries are of different length."""
    return phase_ns * (1 + query / 4)


def planted(noise: Noise, shape: Shape, generator: random.Random, slower: float = 1.0) -> tuple[Side, Side]:
    """Both sides; B's decode takes `slower` times as long."""
    sides = []
    machines = [noise.pair * generator.gauss() for _ in range(shape.a)]
    for side, count, factor in ((0, shape.a, 1.0), (1, shape.b, slower)):
        made = []
        for number in range(count):
            machine = machines[number] if shape.in_turns else noise.pair * generator.gauss()
            at = 2 * number + side if shape.in_turns else number + 1000 * side
            made.append(QueryEvidence(tuple(_start(noise, shape, generator, machine, at * 10**9, factor))))
        sides.append(side_of(made))
    return sides[0], sides[1]


def true_means_ns(noise: Noise, shape: Shape, slower: float = 1.0) -> tuple[float, float]:
    """The mean wall time a query on both sides, over endless starts and answers."""
    phases = NINE_PHASES_NS if noise.by_phase else QUERY_NS
    wall = sum(phases.values())
    length = noise.mean_factor() * sum(map(query_ns, range(shape.queries))) / shape.queries
    return length * wall, length * (wall + (slower - 1) * phases[Phase.DECODE])


def _start(
    noise: Noise, shape: Shape, generator: random.Random, machine: float, at_ns: int, slower: float
) -> list[QueryRecord]:
    phases = NINE_PHASES_NS if noise.by_phase else QUERY_NS
    start = _noise(noise.start, generator, phases, by_phase=noise.by_phase)
    records = []
    for repeat in range(shape.repeats):
        for query in range(shape.queries):
            answer = _noise(noise.answer, generator, phases, by_phase=noise.by_phase)
            spent = dict.fromkeys(Phase, 0)
            for phase, ns in phases.items():
                pace = math.exp(machine + start[phase] + answer[phase])
                spent[phase] = round(query_ns(query, ns) * pace * (slower if phase is Phase.DECODE else 1.0))
            key = f"{query}-{repeat}-{at_ns}"
            ledger = QueryLedger(key, at_ns, sum(spent.values()), spent, {}, {})
            records.append(QueryRecord(str(query), key, ledger, repeat=repeat, ok=True, network_known=True))
    return records


def _noise(
    sigma: float, generator: random.Random, phases: dict[Phase, float], *, by_phase: bool
) -> dict[Phase, float]:
    one = sigma * generator.gauss()
    return {phase: sigma * generator.gauss() if by_phase else one for phase in phases}
