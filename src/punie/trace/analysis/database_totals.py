"""What a database added up by itself: phases over many queries, and what it left aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from punie.trace.analysis.summary_totals import GroupTotal, PhaseTotal, group_total, share_of
from punie.trace.model import PHASE_GROUP, PHASES, Group, Phase, Provenance


@dataclass(frozen=True, slots=True)
class DatabaseTotals:
    """The ledgers of `answers` queries, added up. The nanoseconds of `phases` and of `groups` each sum to `wall_ns`.

    Beside them were `failed` queries (an error, or scored as wrong) and `warmup` ones, which are in no figure, and
    `needs_tree` traces whose shape a database can't judge, `named` up to three of them. `may_be_cut` if as many
    traces were looked at as the limit allows.
    """

    source: str
    answers: int
    wall_ns: int
    phases: tuple[PhaseTotal, ...]
    groups: tuple[GroupTotal, ...]
    network_known: bool
    failed: int
    warmup: int
    needs_tree: int
    named: tuple[str, ...]
    may_be_cut: bool


def phase_totals(
    ns: Mapping[Phase, int],
    contested_ns: Mapping[Phase, int],
    provenance: Mapping[Phase, Sequence[Provenance]],
    *,
    wall_ns: int,
    network_known: bool,
) -> tuple[tuple[PhaseTotal, ...], tuple[GroupTotal, ...]]:
    """Every phase and every group, from sums; what isn't named has no time."""
    phases = tuple(
        PhaseTotal(
            phase=phase,
            group=PHASE_GROUP[phase],
            ns=ns.get(phase, 0),
            share=share_of(ns.get(phase, 0), wall_ns),
            contested_ns=contested_ns.get(phase, 0),
            provenance=tuple(provenance.get(phase, ())),
            known=phase is not Phase.HTTP or network_known,
        )
        for phase in PHASES
    )
    return phases, tuple(group_total(group, phases) for group in Group)
