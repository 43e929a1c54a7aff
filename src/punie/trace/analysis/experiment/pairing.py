"""The same query in two arms of one block: what a speed-up is computed from.

With the prompt cache on only the first execution of a query in a server start counts: later ones find their whole
prompt in the cache and would measure a repeat, which a user doesn't do. A failed or truncated answer has no time
that could be compared; its pair is left out of both sums and counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from punie.trace.analysis.experiment.observation import Observation

Measure = Callable[[Observation], "int | None"]
Place = tuple[int, str]
"""Block and query."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One query in one block: what each of several arms took, in ns, the mean of its repeats there."""

    block: int
    query_id: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PairedObservations:
    """The pairs, and how many had to be left out because an answer failed, was cut off or lacks the measure."""

    pairs: tuple[Pair, ...]
    censored: int


wall_ns: Final[Measure] = attrgetter("wall_ns")
decode_ns: Final[Measure] = attrgetter("decode_ns")
prefill_ns: Final[Measure] = attrgetter("prefill_ns")


def comparable(observations: Iterable[Observation], cached: Collection[str]) -> tuple[Observation, ...]:
    """The observations that may be compared, failed ones among them: of the arms in `cached` first executions alone."""
    seen_in_start: set[tuple[str, str]] = set()
    alike = []
    for seen in sorted(observations, key=lambda seen: seen.record.ledger.start_ns):
        place = (seen.server_start, seen.query_id)
        if seen.arm not in cached or place not in seen_in_start:
            alike.append(seen)
        seen_in_start.add(place)
    return tuple(alike)


def pair(observations: Sequence[Observation], arms: Sequence[str], measure: Measure) -> PairedObservations:
    """Every (block, query) that all of `arms` were asked; `observations` as `comparable` gives them."""
    by_arm = [_by_place(seen for seen in observations if seen.arm == arm) for arm in arms]
    everywhere = set(by_arm[0]).intersection(*by_arm[1:])
    pairs = []
    for place in sorted(everywhere):
        values = [_mean(of_arm[place], measure) for of_arm in by_arm]
        known = tuple(value for value in values if value is not None)
        if len(known) == len(values):
            pairs.append(Pair(*place, known))
    return PairedObservations(tuple(pairs), censored=len(everywhere) - len(pairs))


def _by_place(observations: Iterable[Observation]) -> Mapping[Place, list[Observation]]:
    places: dict[Place, list[Observation]] = {}
    for seen in observations:
        places.setdefault((seen.block, seen.query_id), []).append(seen)
    return places


def _mean(observations: Sequence[Observation], measure: Measure) -> float | None:
    values = [value for seen in observations if seen.counts and (value := measure(seen)) is not None]
    return math.fsum(values) / len(values) if values else None
