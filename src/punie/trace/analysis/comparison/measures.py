"""What is compared: end to end, the groups, the phases; each a number of nanoseconds in every answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.many_units import Row
from punie.trace.model import PHASE_GROUP, PHASES, Group, Phase


class MeasureKind(StrEnum):
    """What a measure is a part of."""

    END_TO_END = "end to end"
    GROUP = "group"
    PHASE = "phase"


@dataclass(frozen=True, slots=True)
class Measure:
    """`name` is a group's or a phase's; `known` is False where transit can't be distinguished from the model's time."""

    kind: MeasureKind
    name: str
    known: bool = True

    def of(self, record: QueryRecord) -> int:
        """Nanoseconds in one answer."""
        match self.kind:
            case MeasureKind.END_TO_END:
                return record.wall_ns
            case MeasureKind.GROUP:
                return record.ledger.group_ns(Group(self.name))
            case MeasureKind.PHASE:
                return record.ledger.phases_ns[Phase(self.name)]


END_TO_END: Final = Measure(MeasureKind.END_TO_END, "wall")


def measures(records: Sequence[QueryRecord]) -> tuple[Measure, ...]:
    """End to end first, then every group and phase in which any answer spent time, in their own order.

    A group of a single phase is left out: the phase says it.
    """
    network_known = all(record.network_known for record in records)
    phases = [p for p in PHASES if any(record.ledger.phases_ns[p] for record in records)]
    chosen = [END_TO_END]
    for group in Group:
        own = [phase for phase in phases if PHASE_GROUP[phase] is group]
        known = network_known or group is not Group.NETWORK
        if len(own) > 1:
            chosen.append(Measure(MeasureKind.GROUP, group.value, known))
        chosen += [Measure(MeasureKind.PHASE, p.value, network_known or p is not Phase.HTTP) for p in own]
    return tuple(chosen)


def row(record: QueryRecord, of: Sequence[Measure]) -> Row:
    """Every measure of one answer."""
    return tuple(float(measure.of(record)) for measure in of)


def mean_row(rows: Sequence[Row]) -> Row:
    """The mean of several rows."""
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))
