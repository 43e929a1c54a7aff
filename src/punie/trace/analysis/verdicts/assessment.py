"""What every verdict is made of: the queries it looks at, what can forbid one, and the assessment that comes out.

One question a file: `generation`, `accuracy`, `target`, `memory`. Reasons and advice are slugs beside figures; the
sentences are made in `report/wording`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from punie.trace import semconv
from punie.trace.analysis.records import PlannedQuery, QueryRecord
from punie.trace.analysis.statistics.spread import Interval
from punie.trace.model import Verdict

NO_VERDICT: Final = "no-verdict"
DOWNGRADED: Final = "downgraded"
MISSING_QUERY: Final = "missing-query"


class Question(StrEnum):
    """What is judged."""

    GENERATION = "generation"
    ACCURACY = "accuracy"
    TARGET = "target"
    MEMORY = "memory"


class Advice(StrEnum):
    """What to do after a verdict."""

    KEEP_AS_GATE = "keep-as-gate"
    FIX_FAILURES = "fix-failures"
    RUN_AGAIN = "run-again"
    ASK_SOMETHING = "ask-something"
    ASK_MORE_QUERIES = "ask-more-queries"
    GATHER_EVIDENCE = "gather-evidence"
    AVOID_PARALLEL_WORK = "avoid-parallel-work"
    TRACE_THE_MODEL = "trace-the-model"
    SPLIT_DECODE = "split-decode"
    SHORTEN_PROMPT = "shorten-prompt"
    SAY_LESS = "say-less"
    LOOK_ELSEWHERE = "look-elsewhere"
    SCORE_ANSWERS = "score-answers"
    REPEAT = "repeat"
    LOOK_AT_SLOWEST_QUERY = "look-at-slowest-query"
    LOOK_AT_SLOWEST_REPEAT = "look-at-slowest-repeat"
    SET_LIMIT = "set-limit"
    START_THE_SERVER = "start-the-server"
    USE_LESS_MEMORY = "use-less-memory"


class Integrity(Protocol):
    """What integrity found in the traces: `effect` is `shown`, `downgraded` or `no-verdict`."""

    @property
    def slug(self) -> str:
        """The finding's name."""

    @property
    def effect(self) -> str:
        """What it does to the verdicts."""

    @property
    def count(self) -> int:
        """How often it was met."""


class Gap(msgspec.Struct, frozen=True):
    """Why no claim can rest on the traces: the slug of an integrity finding, and its count."""

    slug: str
    count: int


class RepeatMethod(StrEnum):
    """How a query is asked again so that it counts: with the prompt cache on, in another server start."""

    REPEATS = "repeats"
    SERVER_STARTS = "server-starts"
    RUNS = "runs"  # of a server that somebody else starts anew


class QueryEvidence(msgspec.Struct, frozen=True):
    """What the verdicts about queries may look at: asked queries without warm-up, and what is wrong with them."""

    records: tuple[QueryRecord, ...]
    integrity: tuple[Integrity, ...] = ()
    missing: tuple[PlannedQuery, ...] = ()

    @property
    def counted(self) -> tuple[QueryRecord, ...]:
        """The records that count in averages."""
        return tuple(record for record in self.records if record.counts)

    @property
    def failed(self) -> tuple[QueryRecord, ...]:
        """The records that ended in an error or scored wrong."""
        return tuple(record for record in self.records if record.failed)

    @property
    def downgrades(self) -> tuple[str, ...]:
        """Slugs of what weakens the figures without forbidding a verdict."""
        return tuple(item.slug for item in self.integrity if item.effect == DOWNGRADED and item.count > 0)

    @property
    def again(self) -> RepeatMethod:
        """How these queries are to be asked again."""
        if any(record.cache == semconv.CACHE_SERVER for record in self.records):
            return RepeatMethod.SERVER_STARTS
        return RepeatMethod.RUNS if any(map(_finds_its_prompt_cached, self.records)) else RepeatMethod.REPEATS

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Why no claim can rest on these traces, planned queries that are missing first; empty if one can."""
        missing = (Gap(MISSING_QUERY, len(self.missing)),) if self.missing else ()
        return missing + tuple(
            gap for gap in forbidding(self.integrity) if not (missing and gap.slug == MISSING_QUERY)
        )


def forbidding(integrity: Iterable[Integrity]) -> tuple[Gap, ...]:
    """The findings that forbid a verdict."""
    return tuple(
        Gap(item.slug, item.count) for item in integrity if item.effect == NO_VERDICT and item.count > 0
    )


Figures_co = TypeVar("Figures_co", covariant=True)


class Assessment(msgspec.Struct, Generic[Figures_co], frozen=True):
    """A verdict with what it rests on.

    `estimate` is the figure that is judged (a share, nanoseconds, bytes), None where nothing could be measured.
    `reason` and `advice` are slugs, `figures` all the numbers that belong to them.
    """

    question: Question
    verdict: Verdict
    reason: StrEnum
    advice: Advice
    figures: Figures_co
    estimate: float | None = None
    interval: Interval | None = None


def _finds_its_prompt_cached(record: QueryRecord) -> bool:
    """Whether a repeat was cached, or would be, where first executions took tokens from a running server's cache."""
    is_attached = bool(record.cache) and record.cache not in semconv.CACHE_ARMS_OF_RUN
    return record.is_cached_repeat or (is_attached and bool(record.cached_tokens))
