"""Repeats with a warm prompt cache: they find their whole prompt in it and are not what a user waits for.

server start  |- warm-up -|-- q1 --|-- q2 --|- q1 -|- q2 -|-- q3 --|
                             counts   counts  no     no      counts
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from punie.trace import semconv
from punie.trace.analysis.records import QueryRecord
from punie.trace.model import Group, Phase

_READ_FASTER: Final = 2
"""A repeat of which nobody reports the cached tokens read its prompt from the cache if that took less than half."""


def mark_cached_repeats(records: Iterable[QueryRecord]) -> tuple[QueryRecord, ...]:
    """`records`, by their start, with every repeat marked that had more from the cache than the first execution.

    Only executions in one server start can find each other's prompts.
    """
    first: dict[tuple[int, str], QueryRecord] = {}
    marked = []
    for record in records:
        earlier = (
            record if record.warmup else first.setdefault((record.server_start, record.query_id), record)
        )
        is_cached = earlier is not record and _had_more(record, earlier)
        marked.append(replace(record, is_cached_repeat=True) if is_cached else record)
    return tuple(marked)


def _had_more(repeat: QueryRecord, first: QueryRecord) -> bool:
    """By the tokens that both report; without them a cache that is known to be on is enough, else the time decides.

    Of queries that no run asked nobody knows in which server start they were; what users repeat are no repeats.
    """
    if repeat.cache in (None, semconv.CACHE_OFF):
        return False
    if repeat.cached_tokens is not None and first.cached_tokens is not None:
        return repeat.cached_tokens > first.cached_tokens
    faster = _READ_FASTER * _reading_ns(repeat, first) < _reading_ns(first, repeat)
    return faster or repeat.cache == semconv.CACHE_SERVER


def _reading_ns(record: QueryRecord, other: QueryRecord) -> int:
    """Time in which the prompt was read; all of generation where that isn't known apart of both."""
    apart = all(one.ledger.phases_ns.get(Phase.PREFILL, 0) for one in (record, other))
    return record.ledger.phases_ns[Phase.PREFILL] if apart else record.ledger.group_ns(Group.GENERATION)
