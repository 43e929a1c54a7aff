"""Proposals of a draft model, counted: of a turn, of a query, of an arm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest


@dataclass(frozen=True, slots=True)
class Drafting:
    """Proposals of one query, over its turns. `accepted_by_position[i]` counts steps that got at least that far.

    Servers that are known by their answers alone report `drafted` and `accepted`: `steps` is 0 and no place is known.
    The `tool_call_*` counts are those inside tool calls (the rest is prose), `prose_*` those outside of them, None
    where they weren't separated.
    """

    steps: int
    drafted: int
    accepted: int
    accepted_by_position: tuple[int, ...]
    tool_call_drafted: int | None = None
    tool_call_accepted: int | None = None
    prose_steps: int | None = None
    prose_accepted_by_position: tuple[int, ...] | None = None

    @property
    def share(self) -> float:
        """The share of proposals that the target took; 0 without proposals."""
        return self.accepted / self.drafted if self.drafted else 0.0


def add_up(counts: Sequence[Drafting]) -> Drafting | None:
    """The sums; None without any. Prose is known apart only where it is in all of them."""
    if not counts:
        return None
    prose = [one.prose_accepted_by_position for one in counts if one.prose_accepted_by_position is not None]
    apart = len(prose) == len(counts)
    return Drafting(
        steps=sum(one.steps for one in counts),
        drafted=sum(one.drafted for one in counts),
        accepted=sum(one.accepted for one in counts),
        accepted_by_position=add_places(one.accepted_by_position for one in counts),
        tool_call_drafted=_known_sum(one.tool_call_drafted for one in counts),
        tool_call_accepted=_known_sum(one.tool_call_accepted for one in counts),
        prose_steps=sum(one.prose_steps or 0 for one in counts) if apart else None,
        prose_accepted_by_position=add_places(prose) if apart else None,
    )


def add_places(counts: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Sums place by place; a shorter list has 0 in the later places."""
    return tuple(map(sum, zip_longest(*counts, fillvalue=0)))


def _known_sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
