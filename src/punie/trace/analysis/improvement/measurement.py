"""From what was asked in a stage to what the planner looks at: times paired by block, and gates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from punie.trace.analysis.experiment.gates import (
    Answered,
    Gate,
    Resources,
    accuracy_gate,
    memory_gate,
    same_answers_gate,
    swap_gate,
)
from punie.trace.analysis.experiment.observation import Observation
from punie.trace.analysis.experiment.pairing import pair, wall_ns
from punie.trace.analysis.improvement.model import (
    BASELINE,
    ArmMeasurement,
    LeverSet,
    Stage,
    StageMeasurement,
)
from punie.trace.analysis.statistics.ratio import RatioUnit


@dataclass(frozen=True, slots=True)
class StageData:
    """Everything that one stage asked. `names` has the name of each arm, the baseline among them.

    `resources` is by arm; an arm that isn't there is not known. `max_memory_bytes` is the user's limit.
    """

    stage: Stage
    names: Mapping[LeverSet, str]
    observations: tuple[Observation, ...]
    resources: Mapping[str, Resources] = field(default_factory=dict)
    max_memory_bytes: int | None = None


def measure(data: StageData) -> StageMeasurement:
    """What the stage came to so far: blocks that some arm hasn't finished are left out, whole."""
    finished = _finished_blocks(data)
    seen = [one for one in data.observations if one.block in finished]
    arms = {levers: _arm(data, seen, levers) for levers in data.names if levers != BASELINE}
    return StageMeasurement(data.stage, len(finished), arms)


def _finished_blocks(data: StageData) -> frozenset[int]:
    """The blocks in which every arm was asked what any arm was asked."""
    asked: dict[int, dict[str, set[tuple[str, int]]]] = {}
    for one in data.observations:
        asked.setdefault(one.block, {}).setdefault(one.arm, set()).add((one.query_id, one.repeat))
    whole = set[tuple[str, int]]().union(*(q for arms in asked.values() for q in arms.values()))
    names = set(data.names.values())
    return frozenset(
        block
        for block, arms in asked.items()
        if names <= arms.keys() and all(arms[name] == whole for name in names)
    )


def _arm(data: StageData, seen: Sequence[Observation], levers: LeverSet) -> ArmMeasurement:
    baseline, name = data.names[BASELINE], data.names[levers]
    blocks: dict[int, tuple[float, float]] = {}
    for item in pair(seen, (baseline, name), wall_ns).pairs:
        before, now = blocks.get(item.block, (0.0, 0.0))
        blocks[item.block] = before + item.values[0], now + item.values[1]
    units = tuple(RatioUnit(*blocks[block]) for block in sorted(blocks))
    return ArmMeasurement(levers, units, tuple(_gates(data, seen, baseline, name)))


def _gates(data: StageData, seen: Sequence[Observation], baseline: str, name: str) -> Iterable[Gate]:
    before = [_answered(one) for one in seen if one.arm == baseline]
    now = [_answered(one) for one in seen if one.arm == name]
    nothing = Resources()
    took, base = data.resources.get(name, nothing), data.resources.get(baseline, nothing)
    memory = memory_gate(took, data.max_memory_bytes)
    yield accuracy_gate(before, now)
    yield same_answers_gate(before, now)
    yield from (memory,) if memory else ()
    yield swap_gate(base, took)


def _answered(one: Observation) -> Answered:
    """A cut answer is a wrong one; whoever ended the query from outside says nothing."""
    right = None if one.record.interrupted else one.record.ok
    if right is not None or one.record.error is not None:
        right = bool(right) and one.record.error is None and not one.truncated
    digests = [turn.digest for turn in one.outputs]
    known = tuple(digest for digest in digests if digest is not None)
    return Answered(one.query_id, right, known if digests and len(known) == len(digests) else None)
