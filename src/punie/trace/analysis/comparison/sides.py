"""One side of a comparison: the answers of all its sources, and what may not be averaged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from msgspec import structs

from punie.trace import semconv
from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.verdicts.assessment import Gap, QueryEvidence


@dataclass(frozen=True, slots=True)
class Side:
    """The asked queries of one side, warm-up left out; `server_start` counts over all of its sources.

    `answers` succeeded in full. `failed` (or disturbed) and `truncated` (ended by a token limit) are censored: how long
    a right and whole answer would have taken is not known. `repeats` are whole answers that are left out: the prompt
    cache was warm, or the other side has none like them. `gaps` say why no claim can rest on this side, `weak` what
    weakens it.
    """

    answers: tuple[QueryRecord, ...]
    failed: tuple[QueryRecord, ...]
    truncated: tuple[QueryRecord, ...]
    starts: int
    repeats: tuple[QueryRecord, ...] = ()
    gaps: tuple[Gap, ...] = ()
    weak: tuple[str, ...] = ()

    @property
    def records(self) -> tuple[QueryRecord, ...]:
        """All that was asked."""
        return (*self.answers, *self.failed, *self.truncated, *self.repeats)

    @property
    def repeats_count(self) -> bool:
        """Whether asking again in the same server start would be evidence: not with its prompt cache on."""
        return not self.repeats and all(record.cache != semconv.CACHE_SERVER for record in self.answers)

    @property
    def keys(self) -> frozenset[str]:
        """What identifies the whole answers, in whatever source they are."""
        return frozenset(record.ledger.query_key for record in self.answers)

    @property
    def query_ids(self) -> frozenset[str]:
        """The queries that have at least one whole answer."""
        return frozenset(record.query_id for record in self.answers)


def side_of(sources: Sequence[QueryEvidence]) -> Side:
    """The side that `sources` make up: each brings its own server starts, but a run's start is one in all of them."""
    number: dict[tuple[str | int, int], int] = {}
    records = []
    for place, source in enumerate(sources):
        for record in sorted(source.records, key=lambda record: record.server_start):
            run = (record.run_id, record.start_in_run) if record.run_id else (place, record.server_start)
            records.append(structs.replace(record, server_start=number.setdefault(run, len(number))))
    counted = [record for record in records if record.counts]
    return Side(
        answers=tuple(record for record in counted if not record.truncated),
        failed=tuple(record for record in records if not record.succeeded),
        truncated=tuple(record for record in counted if record.truncated),
        starts=len(number),
        repeats=tuple(record for record in records if record.succeeded and record.is_cached_repeat),
        gaps=tuple(dict.fromkeys(gap for source in sources for gap in source.gaps)),
        weak=tuple(dict.fromkeys(slug for source in sources for slug in source.downgrades)),
    )


def comparable_sides(a: Side, b: Side) -> tuple[Side, Side]:
    """Both sides; if one asked more often in a server start, and its repeats may have been cached, without repeats."""
    alike = not (a.answers and b.answers) or _max_executions(a) == _max_executions(b)
    if alike or not (_may_be_cached(a) or _may_be_cached(b)):
        return a, b
    return _first_executions(a), _first_executions(b)


def _max_executions(side: Side) -> int:
    """The most that any query was asked in a server start, of what is compared."""
    counts = Counter((record.server_start, record.query_id) for record in side.answers)
    return max(counts.values(), default=0)


def _may_be_cached(side: Side) -> bool:
    """Whether nobody reports what a repeat found in the prompt cache."""
    return any(record.cache != semconv.CACHE_OFF and record.cached_tokens is None for record in side.answers)


def _first_executions(side: Side) -> Side:
    """The side without the repeats; a failed execution is one too, what follows it is a repeat."""
    first: dict[tuple[int, str], QueryRecord] = {}
    for record in sorted(side.records, key=lambda record: record.ledger.start_ns):
        first.setdefault((record.server_start, record.query_id), record)
    keys = {record.ledger.query_key for record in first.values()}
    repeats = tuple(record for record in side.answers if record.ledger.query_key not in keys)
    answers = tuple(record for record in side.answers if record.ledger.query_key in keys)
    return replace(side, answers=answers, repeats=(*side.repeats, *repeats))
