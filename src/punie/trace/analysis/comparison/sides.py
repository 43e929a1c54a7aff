"""One side of a comparison: the answers of all its sources, and what may not be averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.verdicts.assessment import AskedQueries, Gap


@dataclass(frozen=True, slots=True)
class Side:
    """The asked queries of one side, warm-up left out; `server_start` counts over all of its sources.

    `answers` succeeded in full. `failed` and `truncated` (ended by a token limit) are censored: how long a right and
    whole answer would have taken is not known. `gaps` say why no claim can rest on this side, `weak` what weakens it.
    """

    answers: tuple[QueryRecord, ...]
    failed: tuple[QueryRecord, ...]
    truncated: tuple[QueryRecord, ...]
    starts: int
    gaps: tuple[Gap, ...] = ()
    weak: tuple[str, ...] = ()

    @property
    def records(self) -> tuple[QueryRecord, ...]:
        """All that was asked."""
        return (*self.answers, *self.failed, *self.truncated)

    @property
    def keys(self) -> frozenset[str]:
        """What tells the whole answers apart, in whatever source they are."""
        return frozenset(record.ledger.query_key for record in self.answers)

    @property
    def query_ids(self) -> frozenset[str]:
        """The queries that have at least one whole answer."""
        return frozenset(record.query_id for record in self.answers)


def side_of(sources: Sequence[AskedQueries]) -> Side:
    """The side that `sources` make up: each brings its own server starts, but a run's start is one in all of them."""
    number: dict[tuple[str | int, int], int] = {}
    records = []
    for place, asked in enumerate(sources):
        for record in sorted(asked.records, key=lambda record: record.server_start):
            run = (record.run_id, record.start_in_run) if record.run_id else (place, record.server_start)
            records.append(replace(record, server_start=number.setdefault(run, len(number))))
    counted = [record for record in records if record.counts]
    return Side(
        answers=tuple(record for record in counted if not record.truncated),
        failed=tuple(record for record in records if not record.succeeded),
        truncated=tuple(record for record in counted if record.truncated),
        starts=len(number),
        gaps=tuple(dict.fromkeys(gap for asked in sources for gap in asked.gaps)),
        weak=tuple(dict.fromkeys(slug for asked in sources for slug in asked.downgrades)),
    )
