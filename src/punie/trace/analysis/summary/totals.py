"""Sums and spreads over several answered queries: wall time, phases, groups, tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import msgspec

from punie.trace.analysis.records import QueryLedger, QueryRecord
from punie.trace.analysis.statistics.decode import DecodeKnowledge, decode_knowledge, decode_ns
from punie.trace.analysis.statistics.spread import Spread, spread
from punie.trace.model import PHASE_GROUP, PHASES, Group, Phase, Provenance


class PhaseTotal(msgspec.Struct, frozen=True):
    """One phase over several queries.

    `share` is of their wall time, `contested_ns` the part of `ns` at which another group was at work as well.
    `provenance` names every way in which its spans were known, in order. `known` is False for `http` where a
    server that nobody could see into answered: then `ns` is what was seen, and the share must not be printed.
    """

    phase: Phase
    group: Group
    ns: int
    share: float
    contested_ns: int
    provenance: tuple[Provenance, ...]
    known: bool


class GroupTotal(msgspec.Struct, frozen=True):
    """One group over several queries, as `PhaseTotal`; `known` is False if it is for one of its phases."""

    group: Group
    ns: int
    share: float
    contested_ns: int
    known: bool


class Tokens(msgspec.Struct, frozen=True):
    """Token counts, summed; None where any model request lacks its usage."""

    input: int | None
    cached: int | None
    output: int | None


class NoTokenTime(StrEnum):
    """Why the time per output token isn't known."""

    DECODE_NOT_APART = "decode-not-apart"
    COUNTS_MISSING = "counts-missing"
    NO_OUTPUT = "no-output"


class TokenTime(msgspec.Struct, frozen=True):
    """Decode nanoseconds for each output token: over everything (ratio of sums) and its spread over queries.

    Both None where it isn't known: `reason` is why.
    """

    ns: float | None
    spread: Spread | None
    reason: NoTokenTime | None = None


class Totals(msgspec.Struct, frozen=True):
    """What several queries add up to. The nanoseconds of `phases` and of `groups` each sum to `wall_ns`.

    `time_to_first_chunk` has one observation a model request that has it. In a turn that calls a tool it may be
    nearly the whole turn, so it is not prefill.
    """

    answers: int
    wall_ns: int
    wall: Spread
    phases: tuple[PhaseTotal, ...]
    groups: tuple[GroupTotal, ...]
    network_known: bool
    model_requests: int
    tool_calls: int
    truncated: int
    tokens: Tokens
    token_time: TokenTime
    time_to_first_chunk: Spread | None


def totals(records: Sequence[QueryRecord]) -> Totals | None:
    """The totals of `records`; None if there are none."""
    wall = spread([record.wall_ns for record in records])
    if wall is None:
        return None
    network_known = all(record.network_known for record in records)
    wall_ns = sum(record.wall_ns for record in records)
    phases = _summed_phases([record.ledger for record in records], wall_ns, network_known=network_known)
    return Totals(
        answers=len(records),
        wall_ns=wall_ns,
        wall=wall,
        phases=phases,
        groups=group_totals(phases),
        network_known=network_known,
        model_requests=sum(record.model_requests for record in records),
        tool_calls=sum(record.tool_calls for record in records),
        truncated=sum(record.truncated for record in records),
        tokens=_tokens(records),
        token_time=_token_time(records),
        time_to_first_chunk=spread([ns for record in records for ns in record.time_to_first_chunk_ns]),
    )


def _summed_phases(
    ledgers: Sequence[QueryLedger], wall_ns: int, *, network_known: bool
) -> tuple[PhaseTotal, ...]:
    ns, contested_ns = dict.fromkeys(PHASES, 0), dict.fromkeys(PHASES, 0)
    known: dict[Phase, set[Provenance]] = {phase: set() for phase in PHASES}
    for ledger in ledgers:
        for phase, spent_ns in ledger.phases_ns.items():
            ns[phase] += spent_ns
        for phase, spent_ns in ledger.contested_ns.items() if any(ledger.contested_ns.values()) else ():
            contested_ns[phase] += spent_ns
    for provenance in {id(one): one for one in (ledger.provenance for ledger in ledgers)}.values():
        for phase, hows in provenance.items():
            known[phase].update(hows)
    ways = {phase: [how for how in Provenance if how in hows] for phase, hows in known.items() if hows}
    return phase_totals(ns, contested_ns, ways, wall_ns=wall_ns, network_known=network_known)


def phase_totals(
    ns: Mapping[Phase, int],
    contested_ns: Mapping[Phase, int],
    provenance: Mapping[Phase, Sequence[Provenance]],
    *,
    wall_ns: int,
    network_known: bool,
) -> tuple[PhaseTotal, ...]:
    """Every phase, from sums; what isn't named has no time."""
    return tuple(
        PhaseTotal(
            phase=phase,
            group=PHASE_GROUP[phase],
            ns=ns.get(phase, 0),
            share=_share(ns.get(phase, 0), wall_ns),
            contested_ns=contested_ns.get(phase, 0),
            provenance=tuple(provenance.get(phase, ())),
            known=phase is not Phase.HTTP or network_known,
        )
        for phase in PHASES
    )


def group_totals(phases: Sequence[PhaseTotal]) -> tuple[GroupTotal, ...]:
    """What the phases of each group add up to."""
    wall_ns = sum(phase.ns for phase in phases)
    return tuple(
        _group_total(group, [phase for phase in phases if phase.group is group], wall_ns) for group in Group
    )


def _group_total(group: Group, phases: Sequence[PhaseTotal], wall_ns: int) -> GroupTotal:
    ns = sum(phase.ns for phase in phases)
    return GroupTotal(
        group=group,
        ns=ns,
        share=_share(ns, wall_ns),
        contested_ns=sum(phase.contested_ns for phase in phases),
        known=all(phase.known for phase in phases),
    )


def _share(ns: int, wall_ns: int) -> float:
    """`ns` as a fraction of `wall_ns`; 0 of nothing."""
    return ns / wall_ns if wall_ns else 0.0


def _tokens(records: Sequence[QueryRecord]) -> Tokens:
    return Tokens(
        input=_sum_if_known(records, lambda record: record.input_tokens),
        cached=_sum_if_known(records, lambda record: record.cached_tokens),
        output=_sum_if_known(records, lambda record: record.output_tokens),
    )


def _sum_if_known(records: Sequence[QueryRecord], count: Callable[[QueryRecord], int | None]) -> int | None:
    counts = [count(record) for record in records]
    known = [value for value in counts if value is not None]
    return sum(known) if len(known) == len(counts) else None


def _token_time(records: Sequence[QueryRecord]) -> TokenTime:
    output = _sum_if_known(records, lambda record: record.output_tokens)
    if decode_knowledge(records) is not DecodeKnowledge.SEPARATE:
        return TokenTime(None, None, NoTokenTime.DECODE_NOT_APART)
    if output is None:
        return TokenTime(None, None, NoTokenTime.COUNTS_MISSING)
    if output == 0:
        return TokenTime(None, None, NoTokenTime.NO_OUTPUT)
    each = [round(decode_ns(r) / r.output_tokens) for r in records if r.output_tokens]
    return TokenTime(sum(decode_ns(record) for record in records) / output, spread(each))
