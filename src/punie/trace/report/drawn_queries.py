"""Which queries a page draws: all of a few; of many the slowest, the typical and the failed ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from punie.trace.analysis.records import QueryRecord

MOST: Final = 40
_SLOWEST: Final = 20
_TYPICAL: Final = 10
_FAILED: Final = 10


@dataclass(frozen=True, slots=True)
class DrawnQuery:
    """A query to be drawn, and why it of so many; empty where all are drawn."""

    record: QueryRecord
    why: str


def choose(records: Sequence[QueryRecord], most: int = MOST) -> tuple[DrawnQuery, ...]:
    """At most `most` of the queries asked (no warm-up), the slowest first; room that is left goes to slow ones."""
    measured = _slowest_first(record for record in records if not record.warmup)
    if len(measured) <= most:
        return tuple(DrawnQuery(record, "") for record in measured)
    answered = [record for record in measured if record.succeeded]
    middle = max(0, len(answered) // 2 - _TYPICAL // 2)
    failed = [record for record in measured if record.failed]
    wanted = [
        *(DrawnQuery(record, "slowest") for record in measured[:_SLOWEST]),
        *(DrawnQuery(record, "typical") for record in answered[middle : middle + _TYPICAL]),
        *(DrawnQuery(record, "failed") for record in failed[:_FAILED]),
        *(DrawnQuery(record, "slow") for record in measured),
    ]
    once: dict[str, DrawnQuery] = {}
    for one in wanted:
        once.setdefault(one.record.ledger.query_key, one)
    return tuple(sorted(list(once.values())[:most], key=lambda one: -one.record.wall_ns))


def _slowest_first(records: Iterable[QueryRecord]) -> list[QueryRecord]:
    return sorted(records, key=lambda record: -record.wall_ns)
