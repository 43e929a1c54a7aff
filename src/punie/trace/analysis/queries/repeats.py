"""Repeats with a warm prompt cache: they find their whole prompt in it and are not what a user waits for.

server start  |- warm-up -|-- q1 --|-- q2 --|- q1 -|- q2 -|-- q3 --|
                             counts   counts  no     no      counts
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from punie.trace import semconv
from punie.trace.analysis.records import QueryRecord


def mark_cached_repeats(records: Iterable[QueryRecord]) -> tuple[QueryRecord, ...]:
    """`records`, by their start, with every repeat marked that had more from the cache than the first asking.

    Only askings in one server start can find each other's prompts.
    """
    first: dict[tuple[int, str], QueryRecord] = {}
    marked = []
    for record in records:
        asked = record if record.warmup else first.setdefault((record.server_start, record.query_id), record)
        is_cached = asked is not record and _had_more(record, asked)
        marked.append(replace(record, is_cached_repeat=True) if is_cached else record)
    return tuple(marked)


def _had_more(repeat: QueryRecord, first: QueryRecord) -> bool:
    """By the tokens that both report; without them a cache that is known to be on is enough.

    Of queries that no run asked nobody knows in which server start they were; what users repeat are no repeats.
    """
    if repeat.cache in (None, semconv.CACHE_OFF):
        return False
    if repeat.cached_tokens is None or first.cached_tokens is None:
        return repeat.cache == semconv.CACHE_SERVER
    return repeat.cached_tokens > first.cached_tokens
