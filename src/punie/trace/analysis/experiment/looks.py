"""When an experiment is looked at, and at which level: what ends it may depend on what was seen.

Looking several times and stopping at the first good result would stop by luck. So an experiment is looked at after
numbers of blocks that were fixed beforehand, and with K looks each interval is made at the level 1 - 0.05 / K: the
chance that any of the K misses is then at most 5 %, however the looks hang together (Bonferroni), and so is the chance
of the one at which it stops. Blocks that are added after the end are one more look, made at half the error rate of the
one before (97.5 %, 98.75 %): with them all looks together hold at 90 % at least, which `overall_level` says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.analysis.statistics.spread import LEVEL


@dataclass(frozen=True, slots=True)
class Look:
    """After so many blocks intervals are made at `level`; only where `may_stop` does the experiment end there early."""

    blocks: int
    level: float
    may_stop: bool


def looks_of(plan: ExperimentPlan) -> tuple[Look, ...]:
    """Every look of the plan, the last one at its last block."""
    first_end = plan.added_at[0] if plan.added_at else plan.blocks
    planned = [blocks for blocks in plan.stopping.looks if blocks < first_end] + [first_end]
    share = (1 - LEVEL) / max(len(planned), len(plan.stopping.looks))
    looks = [Look(blocks, 1 - share, may_stop=not plan.added_at) for blocks in planned[:-1]]
    looks.append(Look(first_end, 1 - share, may_stop=False))
    for number, blocks in enumerate((*plan.added_at[1:], plan.blocks) if plan.added_at else (), 1):
        looks.append(Look(blocks, 1 - (1 - LEVEL) / 2**number, may_stop=False))
    return tuple(looks)


def overall_level(looks: tuple[Look, ...]) -> float:
    """What all intervals together hold at."""
    return 1 - math.fsum(1 - look.level for look in looks)


def default_looks(blocks: int) -> tuple[int, ...]:
    """After a half, three quarters and all of the blocks; none before the third, whose intervals say nothing."""
    early = {max(3, math.ceil(blocks * part)) for part in (0.5, 0.75)}
    return (*sorted(look for look in early if look < blocks), blocks)
