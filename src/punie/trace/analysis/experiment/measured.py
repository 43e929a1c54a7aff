"""What an experiment left behind, finished or not: what was asked and how each server start went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from punie.trace.analysis.experiment.observation import Observation
from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.analysis.verdicts.assessment import Integrity


@dataclass(frozen=True, slots=True)
class CellFacts:
    """One server start: the arms that it served, and what the machine did meanwhile. None: not known.

    `error` is why it failed; empty if it didn't. `disturbed` says in a sentence each what makes its times those of
    another machine. Swap is the whole machine's. `took_ns` is from its beginning to its end, the start included.
    """

    name: str
    block: int
    arms: tuple[str, ...]
    error: str = ""
    disturbed: tuple[str, ...] = ()
    began_ns: int | None = None
    took_ns: int | None = None
    peak_footprint_bytes: int | None = None
    swapped_in_bytes: int | None = None
    swapped_out_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was measured so far. `set_aside` are disturbed server starts that were run again."""

    plan: ExperimentPlan
    observations: tuple[Observation, ...]
    integrity: tuple[Integrity, ...] = ()
    cells: tuple[CellFacts, ...] = ()
    set_aside: tuple[CellFacts, ...] = ()


def blocks_done(arms: Sequence[str], observations: Iterable[Observation], cells: Iterable[CellFacts]) -> int:
    """How many blocks from the first on have come to their end in every one of `arms`, failed ones among them."""
    seen = {(item.arm, item.block) for item in observations}
    seen |= {(arm, cell.block) for cell in cells for arm in cell.arms}
    block = 0
    while arms and all((arm, block) in seen for arm in arms):
        block += 1
    return block
