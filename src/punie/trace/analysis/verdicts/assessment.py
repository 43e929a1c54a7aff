"""What every verdict is made of: the finding, the evidence it rests on, and what can forbid one.

One question a file: `verdict_generation`, `verdict_accuracy`, `verdict_target`, `verdict_memory`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from punie.trace.analysis.records import PlannedQuery, QueryRecord
from punie.trace.analysis.statistics.spread import Interval
from punie.trace.model import Verdict
from punie.trace.units import count_text

JsonValue: TypeAlias = "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"

NO_VERDICT: Final = "no-verdict"
DOWNGRADED: Final = "downgraded"
MISSING_QUERY: Final = "missing-query"  # integrity's word for what `AskedQueries.missing` lists


class Integrity(Protocol):
    """What integrity found in the traces: `effect` is `shown`, `downgraded` or `no-verdict`."""

    @property
    def slug(self) -> str: ...
    @property
    def effect(self) -> str: ...
    @property
    def count(self) -> int: ...


@dataclass(frozen=True, slots=True)
class AskedQueries:
    """What the verdicts about queries may look at: asked queries without warm-up, and what is wrong with them."""

    records: tuple[QueryRecord, ...]
    integrity: tuple[Integrity, ...] = ()
    missing: tuple[PlannedQuery, ...] = ()

    @property
    def succeeded(self) -> tuple[QueryRecord, ...]:
        """The records that count in averages."""
        return tuple(record for record in self.records if record.succeeded)

    @property
    def failed(self) -> tuple[QueryRecord, ...]:
        """The records that ended in an error or scored wrong."""
        return tuple(record for record in self.records if not record.succeeded)

    @property
    def downgrades(self) -> tuple[str, ...]:
        """Slugs of what weakens the figures without forbidding a verdict."""
        return tuple(item.slug for item in self.integrity if item.effect == DOWNGRADED and item.count > 0)

    def gap(self) -> str:
        """Why no claim can rest on these traces, as a clause without a full stop; empty if one can."""
        reasons = [
            f"integrity: {item.slug} ({item.count})"
            for item in self.integrity
            if item.effect == NO_VERDICT
            and item.count > 0
            and not (self.missing and item.slug == MISSING_QUERY)
        ]
        if self.missing:
            reasons.insert(0, f"{count_text(len(self.missing), 'planned query', 'planned queries')} missing")
        return "; ".join(reasons)


@dataclass(frozen=True, slots=True)
class Assessment:
    """A verdict with what it rests on.

    `estimate` is the figure, in `unit`; None where nothing could be measured. `basis` is one sentence on the
    evidence, `next_step` what to do now, `details` further figures, JSON values only.
    """

    name: str
    verdict: Verdict
    estimate: float | None
    interval: Interval | None
    unit: str
    basis: str
    next_step: str
    details: Mapping[str, JsonValue]


def interval_json(interval: Interval | None) -> JsonValue:
    """An interval as JSON values."""
    if interval is None:
        return None
    return {
        "low": interval.low,
        "high": interval.high,
        "level": interval.level,
        "method": interval.method.value,
        "units": interval.units,
        "over": interval.over.value,
    }
