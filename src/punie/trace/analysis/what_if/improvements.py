"""What could be changed, and how a query's time would follow from the costs of its turns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import Final

import msgspec

from punie.trace.analysis.what_if.cost_model import Costs
from punie.trace.analysis.what_if.observed import ObservedQuery, ObservedTurn


class Scenario(msgspec.Struct, frozen=True):
    """One thing that could be different.

    `slug` names it in JSON, `says` in a sentence; of one `kind` at most one can be had. `output` is the
    factor on output tokens, `speed` the factor on decode's speed. `lever` is the lever of which it is predicted; "" for
    none.
    """

    slug: str
    kind: str
    says: str
    output: float = 1.0
    speed: float = 1.0
    cache: bool = False
    tools: bool = False
    fewer_turns: bool = False
    lever: str = ""


CACHE: Final = "cache"
LESS_OUTPUT: Final = "output-40"  # of which half the output is 5 / 4

IMPROVEMENTS: Final = (
    Scenario("output-20", "output", "output 20 % shorter", output=0.8, lever="brief"),
    Scenario(LESS_OUTPUT, "output", "output 40 % shorter", output=0.6),
    Scenario("decode-1.3", "speed", "decode 1.3x faster", speed=1.3, lever="draft"),
    Scenario("decode-2", "speed", "decode 2x faster", speed=2.0),
    Scenario(CACHE, "cache", "prompt cache hit everywhere", cache=True, lever="prompt-cache"),
    Scenario("tools", "tools", "tools in parallel", tools=True),
    Scenario("turn", "turn", "one turn fewer", fewer_turns=True, lever="parallel-tools"),
)


class CombinedScenario(msgspec.Struct, frozen=True):
    """What several changes are together, as one `Scenario` is."""

    output: float
    speed: float
    cache: bool
    tools: bool
    fewer_turns: bool


@lru_cache
def combined(changes: tuple[Scenario, ...]) -> CombinedScenario:
    """All of `changes` as one."""
    return CombinedScenario(
        output=math.prod(change.output for change in changes),
        speed=math.prod(change.speed for change in changes),
        cache=any(change.cache for change in changes),
        tools=any(change.tools for change in changes),
        fewer_turns=any(change.fewer_turns for change in changes),
    )


def combinations() -> Iterator[tuple[Scenario, ...]]:
    """Every set of changes that can be had together, but for the empty one."""
    kinds: dict[str, list[Scenario | None]] = {}
    for change in IMPROVEMENTS:
        kinds.setdefault(change.kind, [None]).append(change)
    for chosen in product(*kinds.values()):
        changes = tuple(change for change in chosen if change is not None)
        if changes:
            yield changes


def unknown(changes: Sequence[Scenario], queries: Sequence[ObservedQuery], costs: Costs) -> str:
    """Why the effect of `changes` can't be predicted; empty if it can."""
    for change in changes:
        if change.output != 1 and costs.per_output is None:
            return "the cost of an output token isn't known"
        if change.speed != 1 and costs.per_output is None and not _decode_known(queries):
            return "decode isn't known apart, and neither is the cost of an output token"
        if change.cache:
            if any(turn.uncached_tokens is None for query in queries for turn in query.turns):
                return "what was read again isn't known: no turn reports its cached tokens"
            again = [turn.read_again for query in queries for turn in query.turns]
            if None in again:
                return "what was read before isn't known: requests without message digests"
            if costs.per_uncached is None and any(one and one[1] for one in again):
                return "the cost of an uncached prompt token isn't known"
    return ""


def _decode_known(queries: Sequence[ObservedQuery]) -> bool:
    return all(turn.decode_ns is not None for query in queries for turn in query.turns if turn.output_tokens)


def saved_ns(
    query: ObservedQuery, together: CombinedScenario, costs: Costs, *, most_read_again: bool = False
) -> float:
    """Nanoseconds that `query` would be shorter with all that is changed `together`.

    Tokens that were read again count as the fewest that is certain, or as the most that is possible.
    """
    changes_decode = together.output != 1.0 or together.speed != 1.0
    per_token, per_read = max(0.0, costs.per_output or 0.0), max(0.0, costs.per_uncached or 0.0)
    lasted = [turn.end_ns - turn.start_ns for turn in query.turns]
    by_turn = []
    for turn, duration_ns in zip(query.turns, lasted, strict=True):
        saved = _decode_saved(turn, per_token, together) if changes_decode else 0.0
        if together.cache:
            read = (turn.read_again or (0, 0))[1 if most_read_again else 0]
            saved += per_read * min(read, turn.uncached_tokens or 0)
        by_turn.append(min(saved, float(duration_ns)))
    total = sum(by_turn)
    if together.fewer_turns and len(lasted) > 1:
        shortest = lasted.index(min(lasted))
        total += lasted[shortest] - by_turn[shortest]
    if together.tools:
        total += query.tools_apart_ns
    return min(total, sum(lasted) + query.tools_apart_ns)  # rounding may cross it


def _decode_saved(turn: ObservedTurn, per_token: float, together: CombinedScenario) -> float:
    for_output = per_token * turn.output_tokens
    decode = for_output if turn.decode_ns is None else float(turn.decode_ns)
    left = max(0.0, decode - for_output * (1 - together.output))
    return decode - left / together.speed
